package cli

import (
	"path"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
	"github.com/attachfs/attachfs/resolver/ekuaibao/ekuaibaosim"
)

// serveClaims starts a company of ekuaibao and returns the provider of that.
func (d *demonstration) serveClaims(source) (ProviderConfig, error) {
	server, err := ekuaibaosim.Start()
	if err != nil {
		return ProviderConfig{}, err
	}
	d.services = append(d.services, server)
	for _, c := range demo.ClaimDocuments() {
		server.AddDocument(claimDocument(c))
	}
	return ProviderConfig{Type: "ekuaibao", Options: &ekuaibao.Config{
		BaseURL: server.URL(), CorpID: ekuaibaosim.CorpID, Types: []string{"expense", "loan"},
		AppKey: resolver.NewSecret(ekuaibaosim.AppKey), AppSecurity: resolver.NewSecret(ekuaibaosim.AppSecurity),
	}}, nil
}

// claimDocument is a document as the company keeps it, each part in a store of
// another kind.
func claimDocument(c demo.Claim) ekuaibaosim.Document {
	doc := ekuaibaosim.Document{Type: c.Type, Code: c.Code, Title: c.Title, Created: c.Date}
	if c.Paid {
		doc.State = "paid"
	}
	var line ekuaibaosim.Line
	for _, f := range c.Files {
		file := ekuaibaosim.File{Name: path.Base(f.Path), Content: f.Content}
		switch f.Part {
		case demo.Form:
			doc.Attachments = append(doc.Attachments, file)
		case demo.DingTalk:
			file.Store = ekuaibaosim.Drive
			doc.Attachments = append(doc.Attachments, file)
		case demo.Line:
			file.Store = ekuaibaosim.Domain
			line.Attachments = append(line.Attachments, file)
		case demo.Invoice:
			line.Invoices = append(line.Invoices, ekuaibaosim.Invoice{Code: "033002600111", Number: "26101001", File: file})
		case demo.Approval:
			file.Store = ekuaibaosim.Qiniu
			doc.Approvals = append(doc.Approvals, file)
		case demo.Receipt:
			doc.Receipts = append(doc.Receipts, file)
		}
	}
	if len(line.Attachments)+len(line.Invoices) > 0 {
		doc.Lines = []ekuaibaosim.Line{line}
	}
	return doc
}
