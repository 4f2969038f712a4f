package feishumail

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// folder is one of the mailbox.
type folder struct {
	id, name string
	// alias is what the mailbox calls it, the last part of the name only.
	alias string
}

// is reports whether word, which a user wrote, means the folder.
func (f folder) is(word string) bool {
	word = strings.TrimSpace(word)
	return word == f.id || strings.EqualFold(word, f.name) || strings.EqualFold(word, f.alias)
}

// system are the folders of every mailbox, by their fixed ids. The API need not
// list them.
var system = []folder{
	{id: "INBOX", name: "Inbox"},
	{id: "SENT", name: "Sent"},
	{id: "ARCHIVED", name: "Archive"},
	{id: "SCHEDULED", name: "Scheduled"},
	{id: "DRAFT", name: "Drafts"},
	{id: "SPAM", name: "Spam"},
	{id: "TRASH", name: "Trash"},
}

// unasked are shown only if they are asked for.
var unasked = []string{"DRAFT", "SPAM", "TRASH"}

// listRoot returns the folders that are to be shown.
func (p *Provider) listRoot(ctx context.Context) (resolver.Page, error) {
	all, err := p.folders(ctx)
	if err != nil {
		return resolver.Page{}, err
	}
	shown, missing := p.choose(all)
	if len(shown) == 0 {
		return resolver.Page{}, fmt.Errorf("%s: %w", missingFolders(missing, all), resolver.ErrUnsupported)
	}
	page := resolver.Page{}
	for _, f := range shown {
		page.Entries = append(page.Entries, resolver.Entry{ID: folderID(f.id), Name: f.name, Dir: true})
	}
	return page, nil
}

// choose returns the folders to show, and the words of the configuration that
// mean none.
func (p *Provider) choose(all []folder) (shown []folder, missing []string) {
	for _, word := range p.cfg.Folders {
		if !slices.ContainsFunc(all, func(f folder) bool { return f.is(word) }) {
			missing = append(missing, word)
		}
	}
	for _, f := range all {
		asked := slices.ContainsFunc(p.cfg.Folders, f.is)
		if asked || len(p.cfg.Folders) == 0 && !slices.Contains(unasked, f.id) {
			shown = append(shown, f)
		}
	}
	return shown, missing
}

func missingFolders(missing []string, all []folder) string {
	return fmt.Sprintf("folders: there is no %s; there are %s", strings.Join(missing, ", "), folderNames(all))
}

func folderNames(folders []folder) string {
	var names []string
	for _, f := range folders {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// folders returns those of the system and those that the API lists.
func (p *Provider) folders(ctx context.Context) ([]folder, error) {
	var answer foldersAnswer
	call := api.Call{Endpoint: foldersCall, Params: []string{p.cfg.Mailbox}}
	if _, err := p.app.Load().Do(ctx, call, &answer); err != nil {
		return nil, err
	}
	listed := make(map[string]listedFolder, len(answer.Items))
	for _, item := range answer.Items {
		listed[item.ID] = item
	}
	all := slices.Clone(system)
	for _, item := range answer.Items {
		at := slices.IndexFunc(all, func(f folder) bool { return f.id == item.ID })
		switch {
		case item.ID == "":
		case at >= 0:
			all[at].alias = item.Name
		default:
			all = append(all, folder{id: item.ID, name: fullName(item, listed), alias: item.Name})
		}
	}
	return all, nil
}

// maxDepth is beyond any real nesting of folders.
const maxDepth = 20

// fullName is the name of a folder behind those that it is in.
func fullName(f listedFolder, listed map[string]listedFolder) string {
	name := f.Name
	for range maxDepth {
		parent, ok := listed[f.Parent]
		if !ok {
			break
		}
		name = parent.Name + "/" + name
		f = parent
	}
	return name
}
