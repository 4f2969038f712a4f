package feishudocs

import (
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Unlimited returns limits under which the providers of cfg's app never wait. The
// budgets of downloads are the documents'.
func Unlimited(cfg Config) *limit.Limits {
	p := New(cfg, nil)
	defer p.Close()
	limits := limit.New(nil, nil)
	for _, e := range []*api.Endpoint{
		rootCall, folderCall, metasCall, spaceCall, nodesCall, documentCall, blocksCall, sheetsCall, floatsCall, valuesCall,
		tablesCall, fieldsCall, searchCall, linksCall,
	} {
		limits.Bucket(p.app.Load().Account()+"/"+e.Name, limit.Spec{})
	}
	return limits
}

// Denials is denials.
type Denials struct{ denials }

// Note is note.
func (d *Denials) Note(token string) { d.note(token) }

// Hold is hold.
func (d *Denials) Hold(token string) bool { return d.hold(token) }
