package demo

import "time"

// Claim is a document of the company's expense system.
type Claim struct {
	// Type is the type of document: expense or loan.
	Type, Code, Title string
	// Paid says that money has moved, so that there are bank slips.
	Paid bool
	Date time.Time
	// Files are the attachments, with the paths that they have in the set.
	Files []ClaimFile
}

// ClaimFile is a file of a document.
type ClaimFile struct {
	File
	Part Part
}

// Part is where in a document a file is.
type Part string

// The parts.
const (
	Form     Part = "form"
	DingTalk Part = "drive" // in the form, but kept in a DingTalk drive
	Line     Part = "line"
	Invoice  Part = "invoice" // that was recognised, of the line
	Approval Part = "approval"
	Receipt  Part = "receipt"
)

// folder is that of the files of a part, with a slash.
func (p Part) folder() string {
	return map[Part]string{Line: "detail-1/", Invoice: "invoices/", Approval: "approvals/", Receipt: "receipts/"}[p]
}

// ClaimDocuments makes the documents whose files are the set Claims.
func ClaimDocuments() []Claim {
	var all []Claim
	for _, d := range claims() {
		c := Claim{Type: d.kind, Code: d.code, Title: d.title, Paid: d.paid, Date: d.date}
		for i, f := range build(d.items()) {
			c.Files = append(c.Files, ClaimFile{f, d.papers[i].part})
		}
		all = append(all, c)
	}
	return all
}

// claim is a document to be made.
type claim struct {
	kind, code, title string
	paid              bool
	date              time.Time
	papers            []paper
}

type paper struct {
	part Part
	attachment
}

// items are the files where they are shown: by the clock of Hangzhou, all as old
// as the document.
func (c claim) items() []item {
	dir := c.kind + "/" + c.date.In(time.FixedZone("", 8*60*60)).Format("2006-01") + "/" + c.code + " " + c.title + "/"
	items := make([]item, len(c.papers))
	for i, p := range c.papers {
		items[i] = item{dir + p.part.folder() + p.name, c.date, p.make}
	}
	return items
}

func claimItems() []item {
	var items []item
	for _, c := range claims() {
		items = append(items, c.items()...)
	}
	return items
}

func claims() []claim {
	return []claim{
		{"expense", "B26100013", "上海出差报销", false, at(time.October, 13, 6, 30), []paper{
			{Form, attachment{"十月报销明细.csv", made(expenseCSV)}},
			{Line, attachment{"住宿水单.txt", text("入住 2026-10-08，退房 2026-10-10，两晚，936.00 元。\n")}},
			{Invoice, attachment{"电子普通发票.pdf", made(invoice)}},
			{Approval, attachment{"财务意见.txt", text("发票抬头无误，同意。\n")}},
		}},
		{"expense", "B26100020", "办公用品采购", true, at(time.October, 20, 2, 15), []paper{
			{Form, attachment{"采购清单.txt", text("显示器支架 3 件，白板笔 10 盒。\n")}},
			{DingTalk, attachment{"验收单.txt", text("2026-10-19 验收，数量相符。收货人：张明\n")}},
			{Receipt, attachment{"电子回单.txt", text("付款 722.00 元，2026-10-21，杭州。\n")}},
		}},
		{"loan", "J26090007", "团建借款", false, at(time.September, 28, 8, 0), []paper{
			{Form, attachment{"借款说明.txt", text("十月十一日龙井村团建，预借 2,000.00 元。\n")}},
		}},
	}
}
