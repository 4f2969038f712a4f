package demo

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"math"
	"path"
	"time"
)

// TableDocument is a table document of an account, and Table one of its tables.
type TableDocument struct {
	// Name is without the extension, which Kind is.
	Name, Kind string
	ModTime    time.Time
	Sheets     []Table
}

// Table is a table with a record for each thing that has attachments.
type Table struct {
	Name    string
	Records []Record
}

// Record is a row, whose first cell is its name.
type Record struct {
	Name string
	// Files are the attachments, with the paths that they have in the set.
	Files []File
}

// TableDocuments makes the documents whose attachments are the set Tables.
func TableDocuments() []TableDocument {
	all := tableDocuments()
	for _, d := range all {
		for _, s := range d.Sheets {
			for i, r := range s.Records {
				for at, f := range build(d.items(s, r)) {
					s.Records[i].Files[at] = f
				}
			}
		}
	}
	return all
}

// items are the attachments of a record, which are as old as the document.
func (d TableDocument) items(s Table, r Record) []item {
	var items []item
	for _, f := range r.Files {
		items = append(items, item{
			path.Join(d.Name, s.Name, r.Name, f.Path), d.ModTime, func() Content { return tableFile(r.Name, f.Path) },
		})
	}
	return items
}

func tableItems() []item {
	var all []item
	for _, d := range tableDocuments() {
		for _, s := range d.Sheets {
			for _, r := range s.Records {
				all = append(all, d.items(s, r)...)
			}
		}
	}
	return all
}

var shops = []string{
	"西湖店", "武林店", "滨江店", "城西店", "下沙店", "临平店", "萧山店", "余杭店", "钱江店", "古墩店", "文晖店", "拱宸店",
}

// notice is what a shop was given, and is no picture.
const notice = "整改通知.txt"

// tableDocuments are the documents with the names of their files alone.
func tableDocuments() []TableDocument {
	var inspections, assets []Record
	for i, shop := range shops {
		files := []File{{Path: "电表.gif"}, {Path: "水表.gif"}, {Path: "燃气表.gif"}}
		if i%5 == 3 {
			files = append(files, File{Path: notice})
		}
		inspections = append(inspections, Record{Name: shop, Files: files})
	}
	for n := range 6 {
		assets = append(assets, Record{Name: fmt.Sprintf("ZC-2026-%03d", 1+n), Files: []File{{Path: "标签.gif"}}})
	}
	return []TableDocument{
		{Name: "门店巡检", Kind: "dbt", ModTime: at(time.October, 27, 9, 30), Sheets: []Table{{"十月", inspections}}},
		{Name: "固定资产", Kind: "ksheet", ModTime: at(time.September, 1, 2, 0), Sheets: []Table{{"台账", assets}}},
	}
}

// tableFile makes a file of a record.
func tableFile(record, name string) Content {
	if name == notice {
		return bytes.NewReader([]byte(record + "：请于十一月十日前更换燃气表，并拍照上传。\n"))
	}
	seed := 0
	for _, r := range record + name {
		seed = seed*31 + int(r)
	}
	return bytes.NewReader(dial(noise(seed, 5), noise(seed, 6)))
}

// dialSize is the width and the height of a dial in pixels.
const dialSize = 160

// dial is a round instrument that shows value, from 0 to 1, in a colour.
func dial(value, colour float64) []byte {
	palette := color.Palette{
		color.RGBA{R: 246, G: 244, B: 238, A: 255}, color.RGBA{R: 40, G: 40, B: 48, A: 255},
		hue(colour).rgba(), color.RGBA{R: 206, G: 24, B: 32, A: 255},
	}
	const paper, ink, rim, needle = 0, 1, 2, 3
	const radius, sweep = dialSize/2 - 4, 1.5 * math.Pi
	img := image.NewPaletted(image.Rect(0, 0, dialSize, dialSize), palette)
	for y := range dialSize {
		for x := range dialSize {
			dx, dy := float64(x)+0.5-dialSize/2, float64(y)+0.5-dialSize/2
			distance := math.Hypot(dx, dy)
			turn := math.Mod(math.Atan2(dy, dx)+3.25*math.Pi, 2*math.Pi) // from the lower left, clockwise
			off := math.Abs(turn-value*sweep) * distance
			tick := math.Abs(math.Remainder(turn, sweep/10)) * distance
			switch {
			case distance < 5, off < 1.6 && distance < radius-20:
				img.SetColorIndex(x, y, needle)
			case distance > radius-5 && distance <= radius:
				img.SetColorIndex(x, y, rim)
			case tick < 1.2 && distance > radius-16 && distance < radius-7 && turn <= sweep+0.05:
				img.SetColorIndex(x, y, ink)
			default:
				img.SetColorIndex(x, y, paper)
			}
		}
	}
	var out bytes.Buffer
	must(gif.Encode(&out, img, nil))
	return out.Bytes()
}
