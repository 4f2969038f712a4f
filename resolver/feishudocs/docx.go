package feishudocs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// block is what is of use of one of a document.
type block struct {
	ID     string `json:"block_id"`
	Parent string `json:"parent_id"`
	File   *struct {
		Token string `json:"token"`
		Name  string `json:"name"`
	} `json:"file"`
	Image *struct {
		Token   string `json:"token"`
		Caption struct {
			Content string `json:"content"`
		} `json:"caption"`
	} `json:"image"`
	Sheet     *embedded `json:"sheet"`
	Base      *embedded `json:"bitable"`
	Reference *source   `json:"reference_synced"`
}

// embedded is a sheet or a table within a document: its token and that of the
// spreadsheet or base are one text.
type embedded struct {
	Token string `json:"token"`
}

// split returns the spreadsheet and the sheet, or the base and the table.
func (e embedded) split() (whole, part string, ok bool) {
	at := strings.LastIndex(e.Token, "_")
	if at <= 0 || at == len(e.Token)-1 {
		return "", "", false
	}
	return e.Token[:at], e.Token[at+1:], true
}

// source is a block of another document whose content shows here.
type source struct {
	Document string `json:"source_document_id"`
	Block    string `json:"source_block_id"`
}

type blocksAnswer struct {
	Items   []block `json:"items"`
	Token   string  `json:"page_token"`
	HasMore bool    `json:"has_more"`
}

// docxWalk is one way through a document, and goes into its cursors.
type docxWalk struct {
	Token string `json:"token,omitempty"` // of the next page
	// Own says that there is one.
	Own bool `json:"own"`
	// Revisions are those of the documents that were read, before they were.
	Revisions map[string]int `json:"revisions"`
	// Sources are those still to be read, and Seen all that were met.
	Sources []source `json:"sources,omitempty"`
	Seen    []source `json:"seen,omitempty"`
}

// listDocx returns one page of a document's blocks, and after the last one those
// of each synced block of another document.
func (p *Provider) listDocx(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	w := docxWalk{Own: true, Revisions: map[string]int{}}
	if err := readCursor(cursor, &w); err != nil {
		return resolver.Page{}, err
	}
	var blocks []block
	var err error
	if w.Own {
		blocks, err = p.ownBlocks(ctx, at.tokens[0], &w)
	} else {
		blocks, err = p.nextSource(ctx, &w)
	}
	if err != nil {
		return resolver.Page{}, err
	}
	w.meet(at.tokens[0], blocks)
	found := mediaOf(at, blocks)
	if err := p.nameTypes(ctx, found); err != nil {
		return resolver.Page{}, err
	}
	page := resolver.Page{Entries: found.all}
	if w.Own || len(w.Sources) > 0 {
		page.Next = encode(w)
	} else {
		page.Mark = encode(w.Revisions)
	}
	return page, nil
}

// ownBlocks returns the next page of the document itself.
func (p *Provider) ownBlocks(ctx context.Context, document string, w *docxWalk) ([]block, error) {
	if w.Token == "" {
		revision, err := p.revision(ctx, document)
		if err != nil {
			return nil, err
		}
		w.Revisions[document] = revision
	}
	blocks, next, err := p.blocks(ctx, document, w.Token)
	w.Token, w.Own = next, next != ""
	return blocks, err
}

// meet notes the blocks of other documents that show in this one.
func (w *docxWalk) meet(own string, blocks []block) {
	for _, b := range blocks {
		if b.Reference == nil || b.Reference.Document == "" || b.Reference.Document == own || slices.Contains(w.Seen, *b.Reference) {
			continue
		}
		w.Seen = append(w.Seen, *b.Reference)
		w.Sources = append(w.Sources, *b.Reference)
	}
}

// maxSourcePages bounds what is read of another document to find one block.
const maxSourcePages = 20

// nextSource returns what is in the synced blocks of the next other document.
// Nothing, if it is not for us to see, or gone: that says nothing of the one that
// shows it.
func (p *Provider) nextSource(ctx context.Context, w *docxWalk) ([]block, error) {
	if len(w.Sources) == 0 {
		return nil, fmt.Errorf("not a cursor of this package: %w", resolver.ErrRejected)
	}
	document := w.Sources[0].Document
	var wanted []string
	w.Sources = slices.DeleteFunc(w.Sources, func(s source) bool {
		if s.Document == document {
			wanted = append(wanted, s.Block)
		}
		return s.Document == document
	})
	all, revision, err := p.allBlocks(ctx, document)
	if aboutFile(err) {
		p.log.Debug("a synced block cannot be read", "document", document, "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, known := w.Revisions[document]; !known {
		w.Revisions[document] = revision
	}
	var blocks []block
	for _, root := range wanted {
		blocks = append(blocks, below(all, root)...)
	}
	return blocks, nil
}

// allBlocks returns what is in a document, up to a bound, and its revision before
// it was read.
func (p *Provider) allBlocks(ctx context.Context, document string) (all []block, revision int, err error) {
	if revision, err = p.revision(ctx, document); err != nil {
		return nil, 0, err
	}
	token := ""
	for range maxSourcePages {
		var page []block
		if page, token, err = p.blocks(ctx, document, token); err != nil {
			return nil, 0, err
		}
		if all = append(all, page...); token == "" {
			break
		}
	}
	return all, revision, nil
}

// below returns the blocks of a document that are within one.
func below(all []block, root string) []block {
	parents := make(map[string]string, len(all))
	for _, b := range all {
		parents[b.ID] = b.Parent
	}
	within := func(b block) bool {
		id := b.ID
		for range len(all) { // parents that go in circles are not within
			if id = parents[id]; id == root || id == "" {
				break
			}
		}
		return id == root
	}
	return slices.DeleteFunc(slices.Clone(all), func(b block) bool { return !within(b) })
}

// revision is the number of a document's last change.
func (p *Provider) revision(ctx context.Context, document string) (int, error) {
	var answer struct {
		Document struct {
			Revision *int `json:"revision_id"`
		} `json:"document"`
	}
	if _, err := p.do(ctx, api.Call{Endpoint: documentCall, Params: []string{document}}, &answer); err != nil {
		return 0, err
	}
	if answer.Document.Revision == nil {
		return 0, fmt.Errorf("%s: answer has no revision: %w", documentCall.Name, resolver.ErrUnavailable)
	}
	return *answer.Document.Revision, nil
}

// blocks returns one page of a document as it is now.
func (p *Provider) blocks(ctx context.Context, document, token string) (blocks []block, next string, err error) {
	query := url.Values{"page_size": {fmt.Sprint(blockPage)}, "document_revision_id": {"-1"}}
	if token != "" {
		query.Set("page_token", token)
	}
	var answer blocksAnswer
	call := api.Call{Endpoint: blocksCall, Params: []string{document}, Query: query}
	if _, err := p.do(ctx, call, &answer); err != nil {
		return nil, "", err
	}
	next, err = following(answer.HasMore, answer.Token)
	return answer.Items, next, err
}

// mediaOf are what a document shows of some blocks. The same medium in two of
// them is one.
func mediaOf(at place, blocks []block) *entrySet {
	entries := new(entrySet)
	document := at.tokens[0]
	for _, b := range blocks {
		switch {
		case b.File != nil && b.File.Token != "":
			entries.add(medium(at.at(mediaKind, document, b.File.Token), cmp.Or(b.File.Name, b.File.Token)))
		case b.Image != nil && b.Image.Token != "":
			entries.addPicture(medium(at.at(mediaKind, document, b.Image.Token), imageName(b.Image.Caption.Content, b.Image.Token)))
		case b.Sheet != nil:
			entries.embed(at, sheetKind, "Sheet ", *b.Sheet)
		case b.Base != nil:
			entries.embed(at, tableKind, "Table ", *b.Base)
		}
	}
	return entries
}

// medium is a file of which a document tells no more than the name.
func medium(at place, name string) resolver.Entry {
	return resolver.Entry{ID: at.id(), Name: name, Size: resolver.SizeUnknown}
}

// entrySet is entries of which each ID is there once.
type entrySet struct {
	all      []resolver.Entry
	seen     map[resolver.ID]bool
	pictures []int // the places of those whose names we made up
}

// addPicture is add for one that has no name of its own.
func (s *entrySet) addPicture(e resolver.Entry) {
	before := len(s.all)
	if s.add(e); len(s.all) > before {
		s.pictures = append(s.pictures, before)
	}
}

func (s *entrySet) add(e resolver.Entry) {
	if s.seen == nil {
		s.seen = make(map[resolver.ID]bool)
	}
	if !s.seen[e.ID] {
		s.seen[e.ID] = true
		s.all = append(s.all, e)
	}
}

// embed adds the directory of a sheet or table within the document at.
func (s *entrySet) embed(at place, kind, word string, e embedded) {
	whole, part, ok := e.split()
	if !ok {
		return
	}
	if inside, ok := at.through(at.tokens[0], whole); ok {
		s.add(resolver.Entry{ID: inside.at(kind, whole, part).id(), Name: word + part, Dir: true})
	}
}

// updateDocx tells whether a document, and those it shows parts of, are as they
// were.
func (p *Provider) updateDocx(ctx context.Context, own, mark string) error {
	var known map[string]int
	if json.Unmarshal([]byte(mark), &known) != nil || len(known) == 0 {
		return resolver.ErrUnsupported
	}
	for _, document := range slices.Sorted(maps.Keys(known)) {
		revision, err := p.revision(ctx, document)
		switch {
		case aboutFile(err) && document != own:
			return errOutdated
		case err != nil:
			return err
		case revision != known[document]:
			return errOutdated
		}
	}
	return nil
}
