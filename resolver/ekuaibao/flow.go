package ekuaibao

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// partOf tells a file among those of a document that the API has no id and key
// of: by its key, else its id, else by where its link leads.
func partOf(key, fileID, address string) string {
	switch {
	case key != "":
		return "key:" + key
	case fileID != "":
		return "id:" + fileID
	}
	address, _, _ = strings.Cut(address, "?")
	return fmt.Sprintf("at:%x", sha256.Sum256([]byte(address)))[:3+32]
}

func (f flowFile) part() string { return partOf(f.Key, f.FileID, f.URL.Reveal()) }

// all yields the files that a document has by this answer, with their folders.
func (a flowFiles) all(d document) []file {
	var found []file
	for _, part := range a.Parts {
		folder := ""
		switch part.Type {
		case "flow.free":
			folder = foldersOf(d)[part.Line]
			folder = cmp.Or(folder, "details")
		case "flow.approving":
			folder = approvalsFolder
		}
		for _, f := range part.Files {
			found = append(found, a.file(f, folder, d, ""))
		}
		for _, f := range part.Invoices {
			found = append(found, a.file(f, invoicesFolder, d, "invoice"))
		}
		for _, f := range part.Receipts {
			found = append(found, a.file(f, receiptsFolder, d, "receipt"))
		}
	}
	return found
}

// foldersOf are the folders of the lines, by their ids.
func foldersOf(d document) map[string]string {
	folders := make(map[string]string)
	for i, line := range d.lines() {
		if id := text(object(line, "feeTypeForm"), "detailId"); id != "" {
			folders[id] = lineFolder(i)
		}
	}
	return folders
}

// file makes one of a document; kind says what it is, empty for an attachment.
// Only attachments are known to the call for links.
func (a flowFiles) file(f flowFile, folder string, d document, kind string) file {
	n := file{folder: folder, fileID: f.FileID, key: f.Key, name: f.Name, time: d.created()}
	if kind != "" || f.FileID == "" || f.Key == "" {
		n.id = join(partKind, d.id(), f.part())
	}
	if f.FileID == "" && f.Key == "" {
		n.stored = storedAt(f.URL.Reveal())
	}
	if n.name == "" && (kind != "" || n.key == "") {
		n.name = f.fallback(cmp.Or(kind, "attachment"))
	}
	return n
}

// storedAt is the key that an address of a store leads to.
func storedAt(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}

// fallback is a name for what has none: the code and the number of an invoice,
// which the API has swapped, else what key or link say.
func (f flowFile) fallback(kind string) string {
	address, _, _ := strings.Cut(f.URL.Reveal(), "?")
	name, err := url.PathUnescape(address[strings.LastIndexByte(address, '/')+1:])
	if err != nil {
		name = ""
	}
	ext := cmp.Or(path.Ext(f.Key), path.Ext(name))
	code, number := f.InvoiceNumber, f.InvoiceCode
	switch {
	case code != "" || number != "":
		return strings.Trim(code+"-"+number, "-") + ext
	case f.Key != "":
		return nameOf(f.Key)
	case name != "":
		return nameOf(name)
	}
	return kind + ext
}

// describe asks what else the documents have, one call for a page of them, and
// returns it by flow id.
func (p *Provider) describe(ctx context.Context, documents []document) (map[string]*finder, error) {
	found := make(map[string]*finder, len(documents))
	by := make(map[string]document, len(documents))
	var ask []string
	for _, d := range documents {
		by[d.id()] = d
		found[d.id()] = &finder{flow: d.id(), found: d.files()}
		if d.settled() || len(d.invoiceIDs()) > 0 {
			ask = append(ask, d.id())
		}
	}
	items, reply, err := p.flows(ctx, ask)
	if errors.Is(err, errCall) {
		p.without("invoices and receipts are not shown", err)
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		d, ok := by[item.Flow]
		if !ok {
			continue
		}
		found[item.Flow].merge(item, d, reply)
	}
	return found, p.addInvoices(ctx, documents, found)
}

// merge adds what a document has besides, with the links.
func (f *finder) merge(item flowFiles, d document, reply api.Reply) {
	links := item.links(reply)
	for _, n := range item.all(d) {
		part := partOf(n.key, n.fileID, "")
		if n.id != "" {
			_, texts := split(n.id)
			part = texts[1]
		}
		n.link = links[part]
		if at := f.find("", n.stored); at >= 0 {
			n.fileID, n.key = f.found[at].fileID, f.found[at].key
		}
		f.add(n)
	}
}

// links are those of the files in the answer, by what tells them apart.
func (a flowFiles) links(reply api.Reply) map[string]*resolver.Link {
	links := make(map[string]*resolver.Link)
	for _, part := range a.Parts {
		for _, files := range [][]flowFile{part.Files, part.Invoices, part.Receipts} {
			for _, f := range files {
				if link, err := linkAt(f.URL, nil, reply, flowLinkLife); err == nil {
					links[f.part()] = &link
				}
			}
		}
	}
	return links
}

// addInvoices asks for the invoices of which the documents have ids only.
func (p *Provider) addInvoices(ctx context.Context, documents []document, found map[string]*finder) error {
	flows := make(map[string]document)
	var ids []string
	for _, d := range documents {
		if found[d.id()].has(invoicesFolder, partKind) {
			continue
		}
		for _, id := range d.invoiceIDs() {
			if _, twice := flows[id]; !twice {
				flows[id] = d
				ids = append(ids, id)
			}
		}
	}
	for len(ids) > 0 {
		some := ids[:min(len(ids), linksSize)]
		ids = ids[len(some):]
		answer, reply, err := p.invoices(ctx, some, false)
		if errors.Is(err, errCall) || errors.Is(err, resolver.ErrRejected) {
			p.without("invoices that were recognised are not shown", err)
			return nil
		}
		if err != nil {
			return err
		}
		for _, item := range answer.Items {
			if d, ok := flows[item.ID]; ok {
				n := file{
					id: join(invoiceKind, d.id(), item.ID), folder: invoicesFolder, key: item.ID,
					name: cmp.Or(item.Name, "invoice "+item.ID), time: d.created(),
				}
				if link, err := linkAt(item.URL, nil, reply, flowLinkLife); err == nil {
					n.link = &link
				}
				found[d.id()].add(n)
			}
		}
	}
	return nil
}

// has reports whether a folder has a file of that kind.
func (f *finder) has(folder, kind string) bool {
	for _, n := range f.found {
		if k, _ := split(n.id); n.folder == folder && k == kind {
			return true
		}
	}
	return false
}

// flows returns the files of documents. One that the API does not know makes it
// refuse the others, too, so it is found by halves and left out.
func (p *Provider) flows(ctx context.Context, ids []string) ([]flowFiles, api.Reply, error) {
	if len(ids) == 0 {
		return nil, api.Reply{}, nil
	}
	var answer attachmentsAnswer
	reply, err := p.client().do(ctx, api.Call{Endpoint: attachmentsCall, Body: attachmentsRequest{ids}}, &answer)
	switch {
	case !errors.Is(err, resolver.ErrRejected):
		return answer.Items, reply, err
	case len(ids) == 1:
		return nil, reply, nil
	}
	first, reply, err := p.flows(ctx, ids[:len(ids)/2])
	if err != nil {
		return nil, reply, err
	}
	second, later, err := p.flows(ctx, ids[len(ids)/2:])
	if reply.Asked.IsZero() || len(first) == 0 {
		reply = later
	}
	return append(first, second...), reply, err
}

// invoices returns the links of invoices.
func (p *Provider) invoices(ctx context.Context, ids []string, waited bool) (invoicesAnswer, api.Reply, error) {
	var answer invoicesAnswer
	reply, err := p.client().do(ctx, api.Call{Endpoint: invoicesCall, Body: invoicesRequest{ids}, Waited: waited}, &answer)
	return answer, reply, err
}

// withoutEvery is the least time between two words about one thing.
const withoutEvery = time.Hour

// without tells the log, once in a while, what the company may not have.
func (p *Provider) without(what string, err error) {
	p.mu.Lock()
	told := p.told[what]
	due := time.Since(told) >= withoutEvery
	if due {
		p.told[what] = time.Now()
	}
	p.mu.Unlock()
	if due {
		cmp.Or(p.cfg.Log, slog.Default()).Warn(what, "error", err)
	}
}
