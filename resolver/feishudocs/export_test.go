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
