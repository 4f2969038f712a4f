package cli

import (
	"context"
	"crypto/rand"
	"path"
	"path/filepath"
	"time"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// serveTables starts a kdocs whose person is logged in, and returns the provider
// of the tables.
func (d *demonstration) serveTables(source) (ProviderConfig, error) {
	server, err := kdocssim.Start()
	if err != nil {
		return ProviderConfig{}, err
	}
	d.services = append(d.services, server)
	app := kdocssim.App{ID: "AK-demo", Key: rand.Text(), Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}}
	server.AddApp(app)
	for _, document := range demo.TableDocuments() {
		d.nameAttachments(server.AddDocument(tableDocument(document)))
	}
	file := filepath.Join(d.scratch, "kdocs.token")
	if err := keepLogin(file, server.Login(app.ID)); err != nil {
		return ProviderConfig{}, err
	}
	return ProviderConfig{Type: "kdocs", Options: &kdocs.Config{
		BaseURL: server.URL(), AppID: app.ID, AppKey: resolver.NewSecret(app.Key), TokenFile: file,
	}}, nil
}

// nameAttachments remembers what is behind the ids of attachments.
func (d *demonstration) nameAttachments(document kdocssim.Document) {
	for _, s := range document.Sheets {
		for _, r := range s.Records {
			attached, _ := r.Cells[filesField].([]kdocssim.Attachment)
			for _, a := range attached {
				d.names[a.UploadID] = a.Name
			}
		}
	}
}

// keepLogin writes tokens as `attachfs login` does.
func keepLogin(file string, login kdocssim.Tokens) error {
	now := time.Now()
	return tokenfile.At(file).Save(context.Background(), tokenfile.Tokens{
		Access: resolver.NewSecret(login.Access), Refresh: resolver.NewSecret(login.Refresh),
		Expires: now.Add(24 * time.Hour), RefreshExpires: now.Add(90 * 24 * time.Hour),
	})
}

// The columns of every table.
const (
	nameField  = "B"
	filesField = "C"
)

// tableDocument is a document as the service has it.
func tableDocument(from demo.TableDocument) kdocssim.Document {
	document := kdocssim.Document{Name: from.Name + "." + from.Kind, ModTime: from.ModTime}
	for _, s := range from.Sheets {
		sheet := kdocssim.Sheet{Name: s.Name, Fields: []kdocssim.Field{
			{ID: nameField, Name: "名称", Type: "SingleLineText"},
			{ID: filesField, Name: "附件", Type: kdocssim.AttachmentType},
		}}
		for _, r := range s.Records {
			var attached []kdocssim.Attachment
			for _, f := range r.Files {
				attached = append(attached, kdocssim.Attachment{Name: path.Base(f.Path), Content: f.Content})
			}
			sheet.Records = append(sheet.Records, kdocssim.Record{Cells: map[string]any{nameField: r.Name, filesField: attached}})
		}
		document.Sheets = append(document.Sheets, sheet)
	}
	return document
}
