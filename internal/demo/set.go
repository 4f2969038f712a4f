package demo

import (
	"bytes"
	"io"
	"path"
	"sync"
	"time"
)

// The names of the sets.
const (
	// Mail is the inbox of a mailbox: messages with few and with many
	// attachments, a log, odd little files, and one that is withheld.
	Mail = "mail"
	// Contracts is a shared folder with Office documents.
	Contracts = "contracts"
	// Expenses is invoices and the table that claims them.
	Expenses = "expenses"
	// Pictures is photos, sound and video of a trip.
	Pictures = "pictures"
	// Drive is a drive with a folder and with documents that hold files.
	Drive = "drive"
	// Claims is the documents of an expense system, with invoices and bank slips.
	Claims = "claims"
	// Tables is the pictures of table documents, and files that are none and are
	// withheld.
	Tables = "tables"
)

// Content is the bytes of a file. ReadAt may be called in parallel.
type Content interface {
	io.ReaderAt
	// Size is the length in bytes.
	Size() int64
}

// File is one file of the demo.
type File struct {
	// Path is relative to the top of its source, with slashes, in NFC. No two
	// files of the demo have the same one.
	Path string
	// ModTime is fixed, in 2026, in UTC; zero where the source tells none.
	ModTime time.Time
	Content Content
	// Withheld says that the source lists the file and does not hand it out. Its
	// size may be known all the same.
	Withheld bool
}

// Names returns the names of all sets, in the order of [Files].
func Names() []string { return []string{Mail, Contracts, Expenses, Pictures, Drive, Claims, Tables} }

// Files makes the files of all sets. That takes some tenths of a second of
// processor time and a few megabytes, which the caller owns.
func Files() []File {
	var all []item
	for _, name := range Names() {
		all = append(all, items(name)...)
	}
	return build(all)
}

// Set makes the files of the set called name; none when there is no such set.
func Set(name string) []File { return build(items(name)) }

// withheld are the names of files that are not handed out.
var withheld = map[string]bool{withheldNote: true, notice: true}

// item is a file to be made.
type item struct {
	path    string
	modTime time.Time
	make    func() Content
}

// build makes all files, side by side since the pictures take their time.
func build(items []item) []File {
	files := make([]File, len(items))
	var making sync.WaitGroup
	for i, it := range items {
		making.Go(func() {
			files[i] = File{Path: it.path, ModTime: it.modTime, Content: it.make(), Withheld: withheld[path.Base(it.path)]}
		})
	}
	making.Wait()
	return files
}

func items(set string) []item {
	switch set {
	case Mail:
		return mailItems()
	case Contracts:
		return contractItems()
	case Expenses:
		return expenseItems()
	case Pictures:
		return pictureItems()
	case Drive:
		return driveItems()
	case Claims:
		return claimItems()
	case Tables:
		return tableItems()
	default:
		return nil
	}
}

func contractItems() []item {
	return []item{
		{"合同/云栖科技/2026年度办公设备采购合同.docx", at(time.March, 18, 7, 20), made(purchaseContract)},
		{"合同/云栖科技/合同附件.zip", at(time.March, 18, 7, 31), made(contractArchive)},
		{"合同/云栖科技/签署状态.json", at(time.March, 20, 1, 2), text(signatures)},
		{"合同/云栖科技/" + longName, at(time.March, 23, 9, 48), text(meetingMinutes)},
		{"Quarterly review/2026 Q3 review.pptx", at(time.October, 12, 3, 0), made(quarterlySlides)},
		{"Quarterly review/销售额趋势.svg", at(time.October, 12, 2, 40), made(salesChart)},
		{"Quarterly review/README.md", at(time.October, 12, 3, 5), text(reviewReadme)},
	}
}

func expenseItems() []item {
	return []item{
		{"发票/2026-09/Ride receipts September.pdf", at(time.September, 30, 10, 0), made(rideReceipts)},
		{"发票/2026-10/增值税电子普通发票_杭州云栖科技.pdf", at(time.October, 10, 8, 8), made(invoice)},
		{"报销明细.csv", at(time.October, 13, 6, 30), made(expenseCSV)},
		{"报销明细.xlsx", at(time.October, 13, 6, 31), made(expenseSheet)},
	}
}

func pictureItems() []item {
	return []item{
		{"照片/西湖日落.png", at(time.May, 2, 10, 41), made(sunset)},
		{"照片/三潭印月.jpg", at(time.May, 2, 13, 7), made(moonlight)},
		{"照片/彩色玻璃.png", at(time.May, 3, 3, 25), made(stainedGlass)},
		{"Trip to Hangzhou/Julia set.jpg", at(time.May, 4, 1, 12), made(julia)},
		{"Trip to Hangzhou/Itinerary.md", at(time.April, 28, 12, 0), text(itinerary)},
		{"Trip to Hangzhou/Evening melody.wav", at(time.May, 3, 14, 30), made(melody)},
		{"Trip to Hangzhou/Bouncing ball.avi", at(time.May, 3, 14, 45), made(bouncingBall)},
	}
}

// at is a time in 2026, in UTC.
func at(month time.Month, day, hour, minute int) time.Time {
	return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
}

// text is a file that consists of s.
func text(s string) func() Content {
	return made(func() []byte { return []byte(s) })
}

// made is a file in memory, made by compose.
func made(compose func() []byte) func() Content {
	return func() Content { return bytes.NewReader(compose()) }
}

// must stops the program on an error of an encoder that writes to memory: only
// a mistake in this package can be the cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
