package feishudocs

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// seconds is a moment in seconds since 1970, 0 if it is not known. The API
// writes it as a text.
type seconds int64

// UnmarshalJSON reads a number, with or without quotes.
func (s *seconds) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	if err == nil && n > 0 {
		*s = seconds(n)
	}
	return nil
}

func (s seconds) time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// shortcutType is that of what stands for something else.
const shortcutType = "shortcut"

type driveItem struct {
	Token    string  `json:"token"`
	Name     string  `json:"name"`
	Type     string  `json:"type"`
	Modified seconds `json:"modified_time"`
	Shortcut struct {
		Type  string `json:"target_type"`
		Token string `json:"target_token"`
	} `json:"shortcut_info"`
}

type folderAnswer struct {
	Files   []driveItem `json:"files"`
	Token   string      `json:"next_page_token"` // not page_token, as everywhere else
	HasMore bool        `json:"has_more"`
}

// listFolder returns one page of a folder, in an order that edits do not change
// while its pages are read.
func (p *Provider) listFolder(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	query := url.Values{
		"folder_token": {at.tokens[0]}, "page_size": {fmt.Sprint(folderPage)},
		"order_by": {"CreatedTime"}, "direction": {"ASC"},
	}
	if cursor != "" {
		query.Set("page_token", cursor)
	}
	var answer folderAnswer
	if _, err := p.do(ctx, api.Call{Endpoint: folderCall, Query: query}, &answer); err != nil {
		return resolver.Page{}, err
	}
	var page resolver.Page
	for _, item := range answer.Files {
		if entry, ok := item.entry(at); ok {
			page.Entries = append(page.Entries, entry)
		}
	}
	var err error
	page.Next, err = following(answer.HasMore, answer.Token)
	return page, err
}

// entry is what a folder shows of an item; false if that is nothing.
func (i driveItem) entry(at place) (resolver.Entry, bool) {
	if i.Token == "" {
		return resolver.Entry{}, false
	}
	o := object{kind: i.Type, token: i.Token, name: i.Name, modified: i.Modified}
	if i.Type == shortcutType {
		beyond, ok := at.through(i.Token, i.Shortcut.Token)
		if !ok || i.Shortcut.Token == "" {
			return resolver.Entry{}, false
		}
		at, o.kind, o.token, o.modified = beyond, i.Shortcut.Type, i.Shortcut.Token, 0
	}
	return o.entry(at)
}

// object is a file, a folder or a document, of a drive or a wiki.
type object struct {
	kind, token, name string
	modified          seconds
}

// entry is what is shown of an object beside at. Old documents, mind maps and
// slides have no media that can be asked for.
func (o object) entry(at place) (resolver.Entry, bool) {
	switch o.kind {
	case fileKind:
		e := resolver.Entry{ID: at.at(fileKind, o.token).id(), Name: o.name, Size: resolver.SizeUnknown, ModTime: o.modified.time()}
		if o.modified != 0 {
			e.Version = strconv.FormatInt(int64(o.modified), 10)
		}
		return e, true
	case folderKind, docxKind, sheetKind, baseKind:
		return resolver.Entry{ID: at.at(o.kind, o.token).id(), Name: o.name, Dir: true, ModTime: o.modified.time()}, true
	default:
		return resolver.Entry{}, false
	}
}
