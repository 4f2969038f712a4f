package cli

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"mime"
	"path"
	"strings"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishudocs"
)

// driveScopes are those that docs/providers/feishu-docs.md asks for.
var driveScopes = []string{
	"space:document:retrieve", "drive:file:download", "drive:drive.metadata:readonly", "docs:document.media:download",
	"docx:document:readonly", "sheets:spreadsheet:readonly", "bitable:app:readonly", "wiki:wiki:readonly",
}

// serveDrive starts a Feishu with the drive of an app and returns the provider
// of that.
func (d *demonstration) serveDrive(source) (ProviderConfig, error) {
	server, err := feishusim.Start()
	if err != nil {
		return ProviderConfig{}, err
	}
	d.services = append(d.services, server)
	app := feishusim.App{ID: "cli_drive", Secret: rand.Text(), Scopes: driveScopes}
	server.AddApp(app)
	filler := driveFiller{server: server, root: server.DriveRoot(""), names: d.names}
	for _, doc := range demo.SharedDrive() {
		filler.add(doc)
	}
	return ProviderConfig{Type: "feishu-docs", Options: &feishudocs.Config{
		BaseURL: server.URL(), AppID: app.ID, AppSecret: resolver.NewSecret(app.Secret),
	}}, nil
}

// driveFiller puts documents into a simulated drive, and notes what the tokens
// of their files stand for.
type driveFiller struct {
	server *feishusim.Server
	root   string
	names  map[string]string
}

func (f driveFiller) add(doc demo.Document) {
	switch doc.Kind {
	case demo.Folder:
		f.addFolder(doc)
	case demo.Page:
		f.addPage(doc)
	case demo.Sheet:
		f.addSheet(doc)
	case demo.Base:
		f.addBase(doc)
	}
}

func (f driveFiller) addFolder(doc demo.Document) {
	folder := f.server.AddDriveFolder(f.root, doc.Path)
	f.server.SetModified(folder, doc.Date)
	for _, file := range doc.Files {
		name := path.Base(file.Path)
		token := f.server.AddDriveFile(folder, feishusim.DriveFile{
			Name: name, Content: file.Content, ContentType: contentType(name), Modified: file.ModTime,
		})
		f.names[token] = name
	}
}

// addPage makes a document, whose pictures have their names as captions.
func (f driveFiller) addPage(doc demo.Document) {
	page := feishusim.Docx{Title: doc.Path, Modified: doc.Date}
	for _, file := range doc.Files {
		m := medium(file)
		block := feishusim.FileBlock(m)
		if strings.HasPrefix(m.ContentType, "image/") {
			block = feishusim.ImageBlock(m, m.Name)
		}
		page.Blocks = append(page.Blocks, feishusim.TextBlock("See:"), block)
	}
	f.note(doc, f.server.AddDocx(f.root, page).Media)
}

// addSheet makes a spreadsheet with the files in the cells of its first column.
func (f driveFiller) addSheet(doc demo.Document) {
	var tab feishusim.Tab
	for i, file := range doc.Files {
		tab.Cells = append(tab.Cells, feishusim.Cell{
			At: fmt.Sprintf("A%d", i+2), Media: []feishusim.Media{medium(file)}, Shape: feishusim.Attachments,
		})
	}
	sheet := feishusim.Spreadsheet{Title: doc.Path, Modified: doc.Date, Tabs: []feishusim.Tab{tab}}
	f.note(doc, f.server.AddSheet(f.root, sheet).Media)
}

// addBase makes a base with advanced permission: its tables and their records
// are the directories of doc.
func (f driveFiller) addBase(doc demo.Document) {
	const name, files = "Name", "Files"
	base := feishusim.Base{Name: doc.Path, Modified: doc.Date, Advanced: true}
	for _, file := range doc.Files {
		within := strings.Split(strings.TrimPrefix(file.Path, doc.Path+"/"), "/")
		if n := len(base.Tables); n == 0 || base.Tables[n-1].Name != within[0] {
			base.Tables = append(base.Tables, feishusim.Table{Name: within[0], Fields: []feishusim.Field{
				{Name: name, Type: feishusim.FieldText, Primary: true}, {Name: files, Type: feishusim.FieldAttachment},
			}})
		}
		table := &base.Tables[len(base.Tables)-1]
		if n := len(table.Records); n == 0 || table.Records[n-1].Values[name] != within[1] {
			table.Records = append(table.Records, feishusim.Record{
				Values: map[string]any{name: within[1]}, Files: make(map[string][]feishusim.Media), Created: doc.Date, Modified: doc.Date,
			})
		}
		record := table.Records[len(table.Records)-1]
		record.Files[files] = append(record.Files[files], medium(file))
	}
	f.note(doc, f.server.AddBase(f.root, base).Media)
}

// note keeps what the media of a document are called.
func (f driveFiller) note(doc demo.Document, tokens []string) {
	for i, token := range tokens {
		f.names[token] = path.Base(doc.Files[i].Path)
	}
}

func medium(file demo.File) feishusim.Media {
	name := path.Base(file.Path)
	return feishusim.Media{Name: name, Content: file.Content, ContentType: contentType(name)}
}

func contentType(name string) string {
	return cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream")
}
