package demo

import (
	"fmt"
	"image"
	"path"
	"strings"
	"time"
)

// DocumentKind is how a drive keeps files.
type DocumentKind int

// The kinds.
const (
	// Folder has files of its own.
	Folder DocumentKind = iota
	// Page is a written document with files and pictures in it.
	Page
	// Sheet is a spreadsheet, whose cells hold files.
	Sheet
	// Base is a data base; its directories are tables, and in those records.
	Base
)

// Document is a folder or a document of the drive.
type Document struct {
	Kind DocumentKind
	// Path is the directory that it is shown as.
	Path string
	// Date is that of its last change, and of what is in a folder or base; of
	// files in the others there is none.
	Date time.Time
	// Files are what it holds, with the paths that they have in the set.
	Files []File
}

// SharedDrive makes the documents whose files are the set Drive.
func SharedDrive() []Document {
	var all []Document
	for _, d := range shared() {
		all = append(all, Document{Kind: d.kind, Path: d.path, Date: d.date, Files: build(d.items())})
	}
	return all
}

// sharedDocument is a document to be made.
type sharedDocument struct {
	kind  DocumentKind
	path  string
	date  time.Time
	files []attachment
}

func (d sharedDocument) items() []item {
	dated := d.date
	if d.kind == Page || d.kind == Sheet {
		dated = time.Time{}
	}
	items := make([]item, len(d.files))
	for i, f := range d.files {
		items[i] = item{path.Join(d.path, f.name), dated, f.make}
	}
	return items
}

func driveItems() []item {
	var items []item
	for _, d := range shared() {
		items = append(items, d.items()...)
	}
	return items
}

func shared() []sharedDocument {
	return []sharedDocument{
		{Folder, "品牌", at(time.September, 1, 3, 0), []attachment{
			{"门牌.html", text(doorSign)},
			{"Colours.md", text(colourNotes)},
		}},
		{Page, "Tea shop launch", at(time.September, 21, 8, 30), []attachment{
			{"Colour plan.png", made(colourPlan)},
			{"Shopping list.tsv", text(shoppingList)},
			{"开业流程.txt", text(openingDay)},
		}},
		{Sheet, "Opening stock", at(time.September, 22, 2, 15), []attachment{
			{"labels.csv", made(teaLabels)},
		}},
		{Base, "供应商", at(time.September, 24, 6, 5), []attachment{
			{"Contracts/云栖科技/报价单.csv", text(quotation)},
			{"Contracts/云栖科技/验收标准.txt", text(acceptance)},
			{"Contracts/Longjing growers/delivery plan.md", text(deliveryPlan)},
		}},
	}
}

const doorSign = `<!DOCTYPE html>
<html lang="zh-CN">
<head><meta charset="utf-8"><title>营业时间</title></head>
<body style="background:#35605a;color:#f4efe6;font:28px/1.6 serif;text-align:center">
<h1>清风茶铺</h1>
<p>周二至周日 10:00 – 18:00<br>下雨照常，台风除外</p>
</body>
</html>
`

const colourNotes = `# Colours

| name        | value   | where                      |
|-------------|---------|----------------------------|
| Longjing    | #35605a | signs, the door            |
| Rice paper  | #f4efe6 | walls, bags                |
| Osmanthus   | #d98b4a | anything that is on offer  |

Never osmanthus on Longjing: people take it for a parking ticket.
`

const shoppingList = "what\tpieces\twho\n" +
	"kettle, 2 l\t3\tLi Wei\n" +
	"tasting cups\t48\tSophie\n" +
	"umbrella stand\t1\tnobody yet\n"

const openingDay = `开业流程

08:00 烧水，试茶，挂招牌
09:30 杭州的老师傅到店
10:00 开门，前五十位送桂花糕
17:00 盘点，关灯，吃饭
`

// teaLabels is what is printed on the tins.
func teaLabels() []byte {
	var out strings.Builder
	out.WriteString("tin,tea,grams,picked\n")
	for tin := range 24 {
		tea := []string{"Longjing", "Biluochun", "Maofeng"}[tin%3]
		fmt.Fprintf(&out, "T-%03d,%s,%d,2026-04-%02d\n", tin+1, tea, 50*(1+tin%4), 3+tin%12)
	}
	return []byte(out.String())
}

// colourPlan is a board of swatches.
func colourPlan() []byte {
	const columns, rows = 16, 8
	board := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for y := range pictureHeight {
		for x := range pictureWidth {
			column, row := x*columns/pictureWidth, y*rows/pictureHeight
			shade := blend(hue(float64(column)/columns), tint{244, 239, 230}, float64(row)/rows)
			board.SetRGBA(x, y, shade.rgba())
		}
	}
	return pngBytes(board)
}
