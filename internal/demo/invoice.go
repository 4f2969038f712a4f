package demo

import (
	"fmt"
	"strconv"
)

// fen is an amount of money in hundredths of a yuan.
type fen int64

// String has a comma between thousands, as in 12,345.60. Amounts are below a
// thousand million and not negative.
func (f fen) String() string {
	yuan, rest := int64(f)/100, int64(f)%100
	switch {
	case yuan >= 1_000_000:
		return fmt.Sprintf("%d,%03d,%03d.%02d", yuan/1_000_000, yuan/1000%1000, yuan%1000, rest)
	case yuan >= 1000:
		return fmt.Sprintf("%d,%03d.%02d", yuan/1000, yuan%1000, rest)
	default:
		return fmt.Sprintf("%d.%02d", yuan, rest)
	}
}

// plain has no comma, as programs want it.
func (f fen) plain() string { return fmt.Sprintf("%d.%02d", int64(f)/100, int64(f)%100) }

type invoiceLine struct {
	goods    string
	unit     string
	quantity int
	price    fen
}

var invoiceLines = []invoiceLine{
	{"Standing desk, oak, 160 x 80 cm", "piece", 12, 289_900},
	{"Office chair, mesh back", "piece", 12, 124_900},
	{"Monitor 27 inch, USB-C", "piece", 8, 219_900},
	{"Whiteboard, 180 x 90 cm", "piece", 2, 68_000},
	{"Longjing tea, spring harvest, 250 g", "tin", 6, 32_800},
	{"Delivery and assembly", "visit", 1, 150_000},
}

const taxPercent = 13

var invoiceTerms = []string{
	"Payment within 30 days of the date of issue, by bank transfer.",
	"The goods remain with the seller until the invoice is paid in full.",
	"Desks carry a warranty of five years, electrical parts of two years.",
	"Tea is excluded from the warranty and best enjoyed before the next spring.",
	"Complaints reach us at service@yunqi.example on working days, 9:00 to 18:00.",
}

// invoice is a page with the bill and a page with the terms.
func invoice() []byte {
	const title, number = "VAT ordinary invoice", "No. 2633 2000 0018 4207   /   issued 10 October 2026"
	bill := letterhead(title, number, 1, 2)
	parties(bill, 700)

	columns := []column{
		{"Goods or service", marginX + 8, 0}, {"Unit", 270, 0},
		{"Qty", 350, 16.7}, {"Unit price", 445, 46.1}, {"Amount", rightEdge - 8, 37.8},
	}
	var rows [][]string
	var net fen
	for _, l := range invoiceLines {
		amount := l.price * fen(l.quantity)
		net += amount
		rows = append(rows, []string{l.goods, l.unit, strconv.Itoa(l.quantity), l.price.String(), amount.String()})
	}
	y := bill.table(590, columns, rows)

	tax := net * taxPercent / 100
	bill.text(regular, 10, 350, y-26, "Net amount, CNY")
	bill.number(regular, 10, rightEdge-8, y-26, net.String())
	bill.text(regular, 10, 350, y-44, fmt.Sprintf("VAT %d%%, CNY", taxPercent))
	bill.number(regular, 10, rightEdge-8, y-44, tax.String())
	bill.fill(340, y-78, rightEdge-340, 24, 0.87, 0.91, 0.96)
	bill.text(bold, 11, 350, y-70, "Total, CNY")
	bill.number(bold, 11, rightEdge-8, y-70, (net + tax).String())

	terms := letterhead(title, number, 2, 2)
	terms.text(bold, 13, marginX, 700, "Terms")
	for i, term := range invoiceTerms {
		terms.text(regular, 10, marginX, 674-20*float64(i), fmt.Sprintf("%d.  %s", i+1, term))
	}
	return pdfBytes("VAT ordinary invoice", bill, terms)
}

// parties writes who sells and who buys, side by side.
func parties(p *page, y float64) {
	for i, party := range [][]string{
		{"Seller", "Hangzhou Yunqi Technology Co., Ltd.", "Tax ID 91330106MA2DEMO01X", "18 Wensan Road, Xihu District, Hangzhou"},
		{"Buyer", "Hangzhou Qingfeng Design Co., Ltd.", "Tax ID 91330108MA2DEMO02Y", "6 Jianghui Road, Binjiang District, Hangzhou"},
	} {
		x := marginX + 255*float64(i)
		p.text(bold, 10, x, y, party[0])
		for j, line := range party[1:] {
			p.text(regular, 10, x, y-18-15*float64(j), line)
		}
	}
}

type ride struct {
	day, from, to string
	km            string
	fare          fen
}

var rides = []ride{
	{"2 Sep, 08:41", "Hangzhou East Station", "Yunqi Town", "24.6", 7_820},
	{"2 Sep, 18:05", "Yunqi Town", "Hangzhou East Station", "25.1", 8_460},
	{"9 Sep, 09:12", "Office, Binjiang", "Wensan Road", "11.3", 3_650},
	{"16 Sep, 21:47", "Office, Binjiang", "Longjing Village", "13.8", 5_210},
	{"23 Sep, 07:30", "Longjing Village", "Xiaoshan Airport", "41.2", 13_890},
	{"26 Sep, 22:58", "Xiaoshan Airport", "Longjing Village", "41.0", 15_230},
}

// rideReceipts is a page for each half of the month's rides.
func rideReceipts() []byte {
	columns := []column{
		{"Day", marginX + 8, 0}, {"From", 130, 0}, {"To", 275, 0},
		{"km", 435, 14.5}, {"Fare", rightEdge - 8, 21.1},
	}
	half := len(rides) / 2
	var pages []*page
	for i, part := range [][]ride{rides[:half], rides[half:]} {
		var rows [][]string
		var sum fen
		for _, r := range part {
			sum += r.fare
			rows = append(rows, []string{r.day, r.from, r.to, r.km, r.fare.String()})
		}
		p := letterhead("Ride receipts", "September 2026   /   Chen Yu", i+1, 2)
		y := p.table(700, columns, rows)
		p.text(bold, 11, 380, y-26, "Sum of page, CNY")
		p.number(bold, 11, rightEdge-8, y-26, sum.String())
		pages = append(pages, p)
	}
	return pdfBytes("Ride receipts September 2026", pages...)
}
