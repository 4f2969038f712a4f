package demo

import (
	"fmt"
	"strings"
	"time"
)

const sheetNames = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`

// The cell styles, by their place in cellXfs of sheetStyles.
const (
	plainCell = iota
	headerCell
	dateCell
	moneyCell
	totalCell
)

const sheetStyles = `<styleSheet ` + sheetNames + `>
<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/></numFmts>
<fonts count="3"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><color rgb="FFFFFFFF"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="4"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill><fill><patternFill patternType="solid"><fgColor rgb="FF2F5C96"/></patternFill></fill><fill><patternFill patternType="solid"><fgColor rgb="FFDDE7F4"/></patternFill></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>
<cellXfs count="5">
<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>
<xf numFmtId="0" fontId="1" fillId="2" borderId="0" xfId="0" applyFont="1" applyFill="1" applyAlignment="1"><alignment horizontal="center"/></xf>
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>
<xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>
<xf numFmtId="4" fontId="2" fillId="3" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1"/>
</cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>
</styleSheet>`

const workbook = `<workbook ` + sheetNames + ` xmlns:r="` + relationNames + `">` +
	`<sheets><sheet name="明细" sheetId="1" r:id="rId1"/><sheet name="汇总" sheetId="2" r:id="rId2"/></sheets></workbook>`

// expenseSheet is a workbook with the claim and its sums by kind. Formulas
// come with their values, for programs that do not calculate.
func expenseSheet() []byte {
	return officeBytes(at(time.October, 13, 6, 31),
		part{"xl/workbook.xml", "spreadsheetml.sheet.main", workbook},
		part{"xl/styles.xml", "spreadsheetml.styles", sheetStyles},
		part{"xl/worksheets/sheet1.xml", "spreadsheetml.worksheet", claimSheet()},
		part{"xl/worksheets/sheet2.xml", "spreadsheetml.worksheet", kindSheet()},
		part{"xl/_rels/workbook.xml.rels", "", relations(
			relation{"worksheet", "worksheets/sheet1.xml"},
			relation{"worksheet", "worksheets/sheet2.xml"},
			relation{"styles", "styles.xml"})},
	)
}

// serialOfOctober is the last day of September 2026 as spreadsheets count days.
const serialOfOctober = 46295

func claimSheet() string {
	var s sheet
	for _, title := range expenseHeader {
		s.text(headerCell, title)
	}
	for _, e := range expenses {
		s.nextRow()
		s.number(dateCell, fmt.Sprint(serialOfOctober+e.day))
		s.text(plainCell, e.who)
		s.text(plainCell, e.kind)
		s.text(plainCell, e.purpose)
		s.number(plainCell, fmt.Sprint(e.quantity))
		s.number(moneyCell, e.price.plain())
		s.formula(moneyCell, fmt.Sprintf("E%d*F%[1]d", s.row()), e.amount().plain())
	}
	last := s.row()
	s.nextRow()
	s.text(totalCell, "合计")
	for range 5 {
		s.text(totalCell, "")
	}
	s.formula(totalCell, fmt.Sprintf("SUM(G2:G%d)", last), expenseTotal().plain())
	return s.xml(12, 10, 8, 28, 8, 14, 14)
}

func kindSheet() string {
	var s sheet
	s.text(headerCell, "类别")
	s.text(headerCell, "金额（元）")
	last := len(expenses) + 1
	for _, kind := range expenseKinds {
		var sum fen
		for _, e := range expenses {
			if e.kind == kind {
				sum += e.amount()
			}
		}
		s.nextRow()
		s.text(plainCell, kind)
		s.formula(moneyCell, fmt.Sprintf("SUMIF(明细!C2:C%d,A%d,明细!G2:G%[1]d)", last, s.row()), sum.plain())
	}
	sums := s.row()
	s.nextRow()
	s.text(totalCell, "合计")
	s.formula(totalCell, fmt.Sprintf("SUM(B2:B%d)", sums), expenseTotal().plain())
	return s.xml(12, 16)
}

// sheet collects rows of cells, from the top left. Its zero value is at A1.
type sheet struct {
	done    []string
	current strings.Builder
	cells   int
}

// row is the number of the row that cells are added to, from 1.
func (s *sheet) row() int { return len(s.done) + 1 }

func (s *sheet) nextRow() {
	s.done = append(s.done, fmt.Sprintf(`<row r="%d">%s</row>`, s.row(), s.current.String()))
	s.current.Reset()
	s.cells = 0
}

func (s *sheet) text(style int, value string) {
	s.cell(style, `t="inlineStr"`, `<is><t>`+escaped(value)+`</t></is>`)
}

func (s *sheet) number(style int, value string) {
	s.cell(style, "", `<v>`+value+`</v>`)
}

func (s *sheet) formula(style int, formula, value string) {
	s.cell(style, "", `<f>`+escaped(formula)+`</f><v>`+value+`</v>`)
}

func (s *sheet) cell(style int, kind, content string) {
	fmt.Fprintf(&s.current, `<c r="%c%d" s="%d" %s>%s</c>`, 'A'+s.cells, s.row(), style, kind, content)
	s.cells++
}

// xml ends the last row and returns the sheet, whose columns are as wide as
// given, in characters. The first row stays in view.
func (s *sheet) xml(widths ...int) string {
	s.nextRow()
	var columns strings.Builder
	for i, w := range widths {
		fmt.Fprintf(&columns, `<col min="%d" max="%[1]d" width="%d" customWidth="1"/>`, i+1, w)
	}
	return `<worksheet ` + sheetNames + `><sheetViews><sheetView workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>` +
		`<cols>` + columns.String() + `</cols><sheetData>` + strings.Join(s.done, "\n") + `</sheetData></worksheet>`
}
