package feishumail

import (
	"time"

	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Unlimited returns limits under which the providers of cfg's app never wait.
func Unlimited(cfg Config) *limit.Limits {
	p := New(cfg, nil)
	defer p.Close()
	limits := limit.New(nil, nil)
	for _, e := range []*api.Endpoint{foldersCall, listCall, batchCall, messageCall, linksCall} {
		limits.Bucket(p.app.Load().Account()+"/"+e.Name, limit.Spec{})
	}
	return limits
}

// Zone is the one that names of messages tell times in.
func (c Config) Zone() *time.Location { return c.zone() }
