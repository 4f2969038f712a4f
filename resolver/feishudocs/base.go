package feishudocs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

type baseTable struct {
	ID       string `json:"table_id"`
	Name     string `json:"name"`
	Revision *int   `json:"revision"`
}

// listBase returns one page of the tables of a base.
func (p *Provider) listBase(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	tables, next, err := p.tables(ctx, at.tokens[0], cursor)
	if err != nil {
		return resolver.Page{}, err
	}
	page := resolver.Page{Next: next}
	for _, t := range tables {
		if t.ID != "" {
			page.Entries = append(page.Entries, resolver.Entry{ID: at.at(tableKind, at.tokens[0], t.ID).id(), Name: t.Name, Dir: true})
		}
	}
	return page, nil
}

func (p *Provider) tables(ctx context.Context, base, token string) (tables []baseTable, next string, err error) {
	query := url.Values{"page_size": {fmt.Sprint(tablePage)}}
	if token != "" {
		query.Set("page_token", token)
	}
	var answer struct {
		Items   []baseTable `json:"items"`
		Token   string      `json:"page_token"`
		HasMore bool        `json:"has_more"`
	}
	call := api.Call{Endpoint: tablesCall, Params: []string{base}, Query: query}
	if _, err := p.do(ctx, call, &answer); err != nil {
		return nil, "", err
	}
	next, err = following(answer.HasMore, answer.Token)
	return answer.Items, next, err
}

// tableRevision is the number of a table's last change; nil if it is not told.
// It is ErrNotExist for a table that is gone.
func (p *Provider) tableRevision(ctx context.Context, base, table string) (*int, error) {
	for token := ""; ; {
		tables, next, err := p.tables(ctx, base, token)
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			if t.ID == table {
				return t.Revision, nil
			}
		}
		if next == "" || next == token {
			return nil, fmt.Errorf("no such table: %w", resolver.ErrNotExist)
		}
		token = next
	}
}

// updateTable tells whether a table is as it was.
func (p *Provider) updateTable(ctx context.Context, at place, mark string) error {
	var known int
	if json.Unmarshal([]byte(mark), &known) != nil {
		return resolver.ErrUnsupported
	}
	revision, err := p.tableRevision(ctx, at.tokens[0], at.tokens[1])
	switch {
	case err != nil:
		return err
	case revision == nil || *revision != known:
		return errOutdated
	}
	return nil
}

// attachmentField is the type of fields that hold files.
const attachmentField = 17

type baseField struct {
	ID      string `json:"field_id"`
	Name    string `json:"field_name"`
	Type    int    `json:"type"`
	Primary bool   `json:"is_primary"`
}

// columns are the fields of a table that matter.
type columns struct {
	// Files are those that hold files, IDs by names: values are under the names,
	// and rights are asked for by the IDs.
	Files map[string]string `json:"files"`
	// Primary is the name of the one that names records.
	Primary string `json:"primary"`
}

// columns asks which fields a table has.
func (p *Provider) columns(ctx context.Context, base, table string) (columns, error) {
	c := columns{Files: map[string]string{}}
	for token := ""; ; {
		query := url.Values{"page_size": {fmt.Sprint(fieldPage)}}
		if token != "" {
			query.Set("page_token", token)
		}
		var answer struct {
			Items   []baseField `json:"items"`
			Token   string      `json:"page_token"`
			HasMore bool        `json:"has_more"`
		}
		call := api.Call{Endpoint: fieldsCall, Params: []string{base, table}, Query: query}
		if _, err := p.do(ctx, call, &answer); err != nil {
			return columns{}, err
		}
		for _, f := range answer.Items {
			if f.Type == attachmentField && f.ID != "" {
				c.Files[f.Name] = f.ID
			}
			if f.Primary {
				c.Primary = f.Name
			}
		}
		next, err := following(answer.HasMore, answer.Token)
		if err != nil || next == "" {
			return c, err
		}
		token = next
	}
}
