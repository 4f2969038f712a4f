package ekuaibao

import (
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Unlimited returns limits under which the providers of cfg's company never wait.
func Unlimited(cfg Config) *limit.Limits {
	limits := limit.New(nil, nil)
	for _, e := range []*api.Endpoint{listCall, locationCall, tokenCall} {
		name := e.Bucket
		if name == "" {
			name = e.Name
		}
		limits.Bucket(cfg.account()+"/"+name, limit.Spec{})
	}
	return limits
}

// Locator makes the host be asked for at an address.
func (c Config) Locator(address string) Config {
	c.locator = address
	return c
}

// LongAgo makes it long ago that the host was found.
func (p *Provider) LongAgo() {
	c := p.client()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sought = c.sought.Add(-doubtAgain)
}
