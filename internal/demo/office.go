package demo

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

const (
	xmlHead       = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	officeTypes   = "application/vnd.openxmlformats-officedocument."
	relationNames = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
)

// part is one XML file of an Office document, with its content type.
type part struct {
	name, kind, body string
}

// relation is how one part names another. Its id is rId and its place in the
// list, from 1.
type relation struct{ kind, target string }

// officeBytes packs parts with the list of their types. The first is the
// document itself, to which the package points.
func officeBytes(modTime time.Time, parts ...part) []byte {
	var types strings.Builder
	members := []member{
		{"[Content_Types].xml", nil},
		{"_rels/.rels", []byte(xmlHead + relations(relation{"officeDocument", parts[0].name}))},
	}
	for _, p := range parts {
		if p.kind != "" {
			fmt.Fprintf(&types, `<Override PartName="/%s" ContentType="%s%s+xml"/>`, p.name, officeTypes, p.kind)
		}
		members = append(members, member{p.name, []byte(xmlHead + p.body)})
	}
	members[0].body = []byte(xmlHead +
		`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` + types.String() + `</Types>`)
	return zipBytes(modTime, members...)
}

func relations(list ...relation) string {
	var out strings.Builder
	out.WriteString(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
	for i, r := range list {
		fmt.Fprintf(&out, `<Relationship Id="rId%d" Type="%s/%s" Target="%s"/>`, i+1, relationNames, r.kind, r.target)
	}
	out.WriteString(`</Relationships>`)
	return out.String()
}

// escaped makes s fit for the text of an XML element.
func escaped(s string) string {
	var out bytes.Buffer
	must(xml.EscapeText(&out, []byte(s)))
	return out.String()
}

const wordNames = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`

const wordStyles = `<w:styles ` + wordNames + `>
<w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:eastAsia="宋体"/><w:sz w:val="22"/></w:rPr></w:rPrDefault>
<w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="312" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:before="240" w:after="240"/><w:jc w:val="center"/></w:pPr><w:rPr><w:b/><w:color w:val="21406B"/><w:sz w:val="40"/></w:rPr></w:style>
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="280" w:after="100"/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:color w:val="2F5C96"/><w:sz w:val="28"/></w:rPr></w:style>
</w:styles>`

const wordTableHead = `<w:tbl><w:tblPr><w:tblW w:w="9000" w:type="dxa"/><w:tblBorders>
<w:top w:val="single" w:sz="8" w:color="2F5C96"/><w:bottom w:val="single" w:sz="8" w:color="2F5C96"/><w:insideH w:val="single" w:sz="4" w:color="C5D1E2"/>
</w:tblBorders></w:tblPr><w:tblGrid><w:gridCol w:w="4200"/><w:gridCol w:w="1600"/><w:gridCol w:w="1600"/><w:gridCol w:w="1600"/></w:tblGrid>`

const wordPageSetup = `<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1440" w:right="1440" w:bottom="1440" w:left="1440" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr>`

// purchaseContract is a text document with headings and a table of goods.
func purchaseContract() []byte {
	var body strings.Builder
	body.WriteString(wordParagraph("Title", "2026年度办公设备采购合同"))
	body.WriteString(wordParagraph("", "合同编号：QF-2026-0318"))
	body.WriteString(wordParagraph("", "甲方（采购方）：杭州清风设计有限公司"))
	body.WriteString(wordParagraph("", "乙方（供应方）：杭州云栖科技有限公司"))
	for i, clause := range contractClauses {
		body.WriteString(wordParagraph("Heading1", clause[0]))
		body.WriteString(wordParagraph("", clause[1]))
		if i == 0 {
			body.WriteString(wordTable(contractGoods))
		}
	}
	body.WriteString(wordParagraph("", "甲方签字：苏菲　　　　　　　　乙方签字：王帆"))
	body.WriteString(wordParagraph("", "二〇二六年三月十八日，于杭州"))

	document := `<w:document ` + wordNames + `><w:body>` + body.String() + wordPageSetup + `</w:body></w:document>`
	return officeBytes(at(time.March, 18, 7, 20),
		part{"word/document.xml", "wordprocessingml.document.main", document},
		part{"word/styles.xml", "wordprocessingml.styles", wordStyles},
		part{"word/_rels/document.xml.rels", "", relations(relation{"styles", "styles.xml"})},
	)
}

func wordParagraph(style, s string) string {
	var properties string
	if style != "" {
		properties = `<w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>`
	}
	return `<w:p>` + properties + `<w:r><w:t xml:space="preserve">` + escaped(s) + `</w:t></w:r></w:p>`
}

// wordTable is rows of four cells, the first of which is the header.
func wordTable(rows [][4]string) string {
	var out strings.Builder
	out.WriteString(wordTableHead)
	for i, row := range rows {
		shade, weight := "", ""
		if i == 0 {
			shade, weight = `<w:tcPr><w:shd w:val="clear" w:color="auto" w:fill="DDE7F4"/></w:tcPr>`, `<w:rPr><w:b/></w:rPr>`
		}
		out.WriteString(`<w:tr>`)
		for _, cell := range row {
			fmt.Fprintf(&out, `<w:tc>%s<w:p><w:r>%s<w:t>%s</w:t></w:r></w:p></w:tc>`, shade, weight, escaped(cell))
		}
		out.WriteString(`</w:tr>`)
	}
	out.WriteString(`</w:tbl>`)
	return out.String()
}

var contractGoods = [][4]string{
	{"品名", "数量", "单价（元）", "金额（元）"},
	{"升降桌，橡木 160×80 cm", "12", "2,899.00", "34,788.00"},
	{"办公椅，网背", "12", "1,249.00", "14,988.00"},
	{"显示器，27 寸 USB-C", "8", "2,199.00", "17,592.00"},
	{"白板，180×90 cm", "2", "680.00", "1,360.00"},
	{"合计", "", "", "68,728.00"},
}

var contractClauses = [][2]string{
	{"第一条　标的", "乙方按下表向甲方供应全新办公设备，价格不含税，税率 13%。"},
	{"第二条　交付", "货物分两批送至杭州市滨江区江晖路 6 号，第一批不迟于 2026 年 4 月 8 日，第二批不迟于 4 月 15 日。"},
	{"第三条　验收", "甲方在到货后五个工作日内按《验收标准》验收；逾期未提出异议的，视为验收合格。"},
	{"第四条　付款", "甲方自收到发票之日起三十日内以银行转账方式付清全部货款。"},
	{"第五条　质保", "升降桌质保五年，电器部件质保两年。质保期内的维修由乙方免费上门完成。"},
	{"第六条　其他", "本合同一式两份，双方各执一份，签字后生效。茶叶不在合同范围之内，但一直备着。"},
}
