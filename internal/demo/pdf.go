package demo

import (
	"bytes"
	"fmt"
	"strings"
)

// The fonts of a page: two that every PDF reader has, for Latin letters.
const (
	regular = "F1"
	bold    = "F2"
)

// The size of A4 in points, and its margins. The origin is at the lower left.
const (
	pageWidth  = 595
	pageHeight = 842
	marginX    = 50
	rightEdge  = pageWidth - marginX
)

// page is the drawing operators of one PDF page.
type page struct{ ops bytes.Buffer }

func (p *page) text(font string, size, x, y float64, s string) {
	escaped := strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`).Replace(s)
	fmt.Fprintf(&p.ops, "BT /%s %g Tf %.2f %.2f Td (%s) Tj ET\n", font, size, x, y, escaped)
}

// number writes s, which is digits, points and commas, so that it ends at x.
func (p *page) number(font string, size, x, y float64, s string) {
	narrow := strings.Count(s, ".") + strings.Count(s, ",")
	width := 0.556*float64(len(s)-narrow) + 0.278*float64(narrow)
	p.text(font, size, x-size*width, y, s)
}

// fill colours a rectangle; parts of the colour go from 0 to 1.
func (p *page) fill(x, y, width, height, r, g, b float64) {
	fmt.Fprintf(&p.ops, "q %g %g %g rg %g %g %g %g re f Q\n", r, g, b, x, y, width, height)
}

// rule draws a horizontal line from margin to margin.
func (p *page) rule(y, width float64) {
	fmt.Fprintf(&p.ops, "q 0.45 0.5 0.6 RG %g w %d %g m %d %g l S Q\n", width, marginX, y, rightEdge, y)
}

// pdfBytes is a PDF document of pages.
func pdfBytes(title string, pages ...*page) []byte {
	const catalog, tree, fonts, about, first = 1, 2, 3, 4, 5
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", first+2*i)
	}
	objects := []string{
		fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", tree),
		fmt.Sprintf("<< /Type /Pages /Kids [ %s] /Count %d >>", kids.String(), len(pages)),
		fmt.Sprintf("<< /%s %s /%s %s >>", regular, latinFont("Helvetica"), bold, latinFont("Helvetica-Bold")),
		fmt.Sprintf("<< /Title (%s) /Producer (attachfs demo) >>", title),
	}
	for i, p := range pages {
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [ 0 0 %d %d ] /Resources << /Font %d 0 R >> /Contents %d 0 R >>",
				tree, pageWidth, pageHeight, fonts, first+2*i+1),
			fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", p.ops.Len(), p.ops.String()))
	}

	var out bytes.Buffer
	out.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	xref := []string{"0000000000 65535 f \n"}
	for i, object := range objects {
		xref = append(xref, fmt.Sprintf("%010d 00000 n \n", out.Len()))
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	table := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n%s", len(xref), strings.Join(xref, ""))
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\n", len(xref), catalog, about)
	fmt.Fprintf(&out, "startxref\n%d\n%%%%EOF\n", table)
	return out.Bytes()
}

func latinFont(name string) string {
	return fmt.Sprintf("<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>", name)
}

// letterhead begins a page with its title, a line under it, and its place.
func letterhead(title, subtitle string, number, count int) *page {
	p := new(page)
	p.fill(0, pageHeight-100, pageWidth, 100, 0.13, 0.25, 0.42)
	p.ops.WriteString("1 1 1 rg\n")
	p.text(bold, 22, marginX, pageHeight-54, title)
	p.text(regular, 11, marginX, pageHeight-76, subtitle)
	p.ops.WriteString("0.15 0.17 0.22 rg\n")
	p.rule(52, 0.5)
	p.text(regular, 8, marginX, 38, "Made for the attachfs demo. Not a valid tax document.")
	p.text(regular, 8, rightEdge-48, 38, fmt.Sprintf("Page %d of %d", number, count))
	return p
}

// column is one column of a table. With a titleWidth, in points, it holds
// numbers, and they and its title end at x; otherwise it begins there.
type column struct {
	title      string
	x          float64
	titleWidth float64
}

// table draws rows below y and returns where they end.
func (p *page) table(y float64, columns []column, rows [][]string) float64 {
	const height = 24
	p.fill(marginX, y-height, rightEdge-marginX, height, 0.87, 0.91, 0.96)
	for _, c := range columns {
		p.text(bold, 10, c.x-c.titleWidth, y-16, c.title)
	}
	for i, row := range rows {
		y -= height
		if i%2 == 1 {
			p.fill(marginX, y-height, rightEdge-marginX, height, 0.95, 0.96, 0.98)
		}
		for j, c := range columns {
			if c.titleWidth > 0 {
				p.number(regular, 10, c.x, y-16, row[j])
			} else {
				p.text(regular, 10, c.x, y-16, row[j])
			}
		}
	}
	p.rule(y-height, 0.8)
	return y - height
}
