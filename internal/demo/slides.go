package demo

import (
	"fmt"
	"strings"
	"time"
)

const chartFrame = `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="500" viewBox="0 0 800 500">
  <style>
    text { font: 16px sans-serif; fill: #44506a; text-anchor: middle }
    .value { font-weight: bold; fill: #22304a }
    .title { font-size: 24px; font-weight: bold; fill: #22304a }
  </style>
  <rect width="800" height="500" fill="#f7f9fc"/>
  <text x="400" y="52" class="title">销售额趋势 Sales by quarter</text>
  <text x="400" y="80">单位：万元 (CNY 10,000)</text>
  <line x1="50" y1="420" x2="750" y2="420" stroke="#9aa7bd" stroke-width="2"/>
%s</svg>
`

// quarter is one bar of the sales chart, in units of 10,000 yuan.
type quarter struct {
	name  string
	sales int
}

var quarters = []quarter{
	{"2025 Q3", 286}, {"2025 Q4", 342}, {"2026 Q1", 318}, {"2026 Q2", 405}, {"2026 Q3", 468},
}

// salesChart is a bar chart as a picture of text.
func salesChart() []byte {
	const ground, barWidth, step = 420, 90, 140
	var bars strings.Builder
	for i, q := range quarters {
		x, height := 70+step*i, q.sales*2/3
		fmt.Fprintf(&bars, `  <rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="hsl(%d 65%% 55%%)"/>`+"\n",
			x, ground-height, barWidth, height, 205+22*i)
		fmt.Fprintf(&bars, `  <text x="%d" y="%d" class="value">%d</text>`+"\n", x+barWidth/2, ground-height-10, q.sales)
		fmt.Fprintf(&bars, `  <text x="%d" y="%d">%s</text>`+"\n", x+barWidth/2, ground+26, q.name)
	}
	return fmt.Appendf(nil, chartFrame, bars.String())
}

const slideNames = `xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" ` +
	`xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="` + relationNames + `"`

const emptyGroup = `<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>`

const slideTheme = `<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Lake"><a:themeElements>
<a:clrScheme name="Lake"><a:dk1><a:srgbClr val="22304A"/></a:dk1><a:lt1><a:srgbClr val="FFFFFF"/></a:lt1><a:dk2><a:srgbClr val="21406B"/></a:dk2><a:lt2><a:srgbClr val="F4EFE6"/></a:lt2><a:accent1><a:srgbClr val="2F5C96"/></a:accent1><a:accent2><a:srgbClr val="D98B4A"/></a:accent2><a:accent3><a:srgbClr val="35605A"/></a:accent3><a:accent4><a:srgbClr val="8A5A9E"/></a:accent4><a:accent5><a:srgbClr val="C44C3A"/></a:accent5><a:accent6><a:srgbClr val="7A8AA6"/></a:accent6><a:hlink><a:srgbClr val="2F5C96"/></a:hlink><a:folHlink><a:srgbClr val="8A5A9E"/></a:folHlink></a:clrScheme>
<a:fontScheme name="Lake"><a:majorFont><a:latin typeface="Calibri"/><a:ea typeface=""/><a:cs typeface=""/></a:majorFont><a:minorFont><a:latin typeface="Calibri"/><a:ea typeface=""/><a:cs typeface=""/></a:minorFont></a:fontScheme>
<a:fmtScheme name="Lake"><a:fillStyleLst>` + threePlainFills + `</a:fillStyleLst><a:lnStyleLst>` + threePlainLines + `</a:lnStyleLst>
<a:effectStyleLst><a:effectStyle><a:effectLst/></a:effectStyle><a:effectStyle><a:effectLst/></a:effectStyle><a:effectStyle><a:effectLst/></a:effectStyle></a:effectStyleLst>
<a:bgFillStyleLst>` + threePlainFills + `</a:bgFillStyleLst></a:fmtScheme></a:themeElements></a:theme>`

const (
	plainFill       = `<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>`
	plainLine       = `<a:ln w="9525">` + plainFill + `</a:ln>`
	threePlainFills = plainFill + plainFill + plainFill
	threePlainLines = plainLine + plainLine + plainLine
)

const slideMaster = `<p:sldMaster ` + slideNames + `><p:cSld><p:bg><p:bgPr><a:solidFill><a:schemeClr val="bg1"/></a:solidFill><a:effectLst/></p:bgPr></p:bg><p:spTree>` + emptyGroup + `</p:spTree></p:cSld>
<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>
<p:sldLayoutIdLst><p:sldLayoutId id="2147483649" r:id="rId1"/></p:sldLayoutIdLst></p:sldMaster>`

const slideLayout = `<p:sldLayout ` + slideNames + ` type="blank"><p:cSld name="Blank"><p:spTree>` + emptyGroup +
	`</p:spTree></p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sldLayout>`

type slide struct {
	title string
	lines []string
}

var reviewSlides = []slide{
	{"2026 年第三季度回顾", []string{"Hangzhou Qingfeng Design", "12 October 2026"}},
	{"做成了什么 What went well", []string{
		"销售额 468 万元，环比增长 15.6%",
		"The museum project opened on time, with a queue around the block",
		"新办公桌全部到位，没有人再用纸箱垫显示器",
	}},
	{"下一步 What is next", []string{
		"两个老客户的续约，十一月底前签完",
		"Hire one illustrator and one project lead",
		"把附件都放进一个盘里：不再到处找下载链接",
	}},
}

// quarterlySlides is a presentation of a few slides with large letters.
func quarterlySlides() []byte {
	var ids strings.Builder
	var slides []part
	links := []relation{{"slideMaster", "slideMasters/slideMaster1.xml"}, {"theme", "theme/theme1.xml"}}
	for i, s := range reviewSlides {
		name := fmt.Sprintf("slide%d.xml", i+1)
		links = append(links, relation{"slide", "slides/" + name})
		fmt.Fprintf(&ids, `<p:sldId id="%d" r:id="rId%d"/>`, 256+i, len(links))
		slides = append(slides,
			part{"ppt/slides/" + name, "presentationml.slide", s.xml()},
			part{"ppt/slides/_rels/" + name + ".rels", "", relations(relation{"slideLayout", "../slideLayouts/slideLayout1.xml"})})
	}
	presentation := `<p:presentation ` + slideNames + `><p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>` +
		`<p:sldIdLst>` + ids.String() + `</p:sldIdLst><p:sldSz cx="12192000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>`
	parts := append([]part{
		{"ppt/presentation.xml", "presentationml.presentation.main", presentation},
		{"ppt/_rels/presentation.xml.rels", "", relations(links...)},
		{"ppt/theme/theme1.xml", "theme", slideTheme},
		{"ppt/slideMasters/slideMaster1.xml", "presentationml.slideMaster", slideMaster},
		{"ppt/slideMasters/_rels/slideMaster1.xml.rels", "", relations(
			relation{"slideLayout", "../slideLayouts/slideLayout1.xml"}, relation{"theme", "../theme/theme1.xml"})},
		{"ppt/slideLayouts/slideLayout1.xml", "presentationml.slideLayout", slideLayout},
		{"ppt/slideLayouts/_rels/slideLayout1.xml.rels", "", relations(relation{"slideMaster", "../slideMasters/slideMaster1.xml"})},
	}, slides...)
	return officeBytes(at(time.October, 12, 3, 0), parts...)
}

// xml is a band with the title above the lines.
func (s slide) xml() string {
	return `<p:sld ` + slideNames + `><p:cSld><p:spTree>` + emptyGroup +
		textBox(2, 0, 1700000, plainColor("accent1"), 4000, "bg1", s.title) +
		textBox(3, 2000000, 4200000, `<a:noFill/>`, 2600, "tx1", s.lines...) +
		`</p:spTree></p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sld>`
}

func plainColor(name string) string {
	return `<a:solidFill><a:schemeClr val="` + name + `"/></a:solidFill>`
}

// textBox is a box as wide as the slide, with top and height in EMU, of which
// 914400 are an inch, and letters in hundredths of a point.
func textBox(id, top, height int, fill string, size int, color string, lines ...string) string {
	var paragraphs strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&paragraphs, `<a:p><a:pPr><a:spcAft><a:spcPts val="1400"/></a:spcAft></a:pPr><a:r><a:rPr lang="zh-CN" sz="%d">%s</a:rPr><a:t>%s</a:t></a:r></a:p>`,
			size, plainColor(color), escaped(line))
	}
	return fmt.Sprintf(`<p:sp><p:nvSpPr><p:cNvPr id="%d" name="Text %[1]d"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr>`+
		`<p:spPr><a:xfrm><a:off x="0" y="%d"/><a:ext cx="12192000" cy="%d"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom>%s</p:spPr>`+
		`<p:txBody><a:bodyPr wrap="square" lIns="760000" rIns="760000" anchor="ctr"/><a:lstStyle/>%s</p:txBody></p:sp>`,
		id, top, height, fill, paragraphs.String())
}
