package sim

import (
	"net/url"
	"path"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// dirPrefix begins the API's ids of directories.
	dirPrefix = "dir:"

	// groupMark ends the directory in an id that would not tell it otherwise.
	groupMark = "\n"
)

// grouped is the id of a file that dir lists, which tells dir: most of the
// API's ids are paths and do so by themselves.
func grouped(dir, id resolver.ID) resolver.ID {
	group := strings.TrimPrefix(string(dir), dirPrefix)
	if !strings.Contains(string(id), groupMark) && groupOf(id) == group {
		return id
	}
	return resolver.ID(url.PathEscape(group)) + groupMark + id
}

// groupOf is the directory that an id tells.
func groupOf(id resolver.ID) string {
	if escaped, _, ok := strings.Cut(string(id), groupMark); ok {
		if group, err := url.PathUnescape(escaped); err == nil {
			return group
		}
	}
	if dir := path.Dir(string(id)); dir != "." {
		return dir
	}
	return ""
}

// bare is the id as the API has it.
func (p *Provider) bare(id resolver.ID) resolver.ID {
	if _, bare, ok := strings.Cut(string(id), groupMark); ok && p.cfg.ByDirectory {
		return resolver.ID(bare)
	}
	return id
}
