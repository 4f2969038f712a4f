package feishudocs

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// denialTTL is how long a file whose download was refused is not asked for
	// again: whoever may see a file may not always have it, and a program that
	// looks at a thousand of those each minute would spend the day's downloads.
	denialTTL = time.Hour
	// denialsBelieved is how many refusals it takes: the token may have been to
	// blame for the first.
	denialsBelieved = 2
	// maxDenials bounds what is remembered.
	maxDenials = 50_000
)

var errDenied = fmt.Errorf("its download was refused within the last hour: %w", resolver.ErrPermission)

// denials remembers the files and media whose downloads were refused. The zero
// value is ready; its methods may be called in parallel.
type denials struct {
	mu sync.Mutex // guards the following
	of map[string]denial
}

type denial struct {
	times int
	until time.Time
}

func (d *denials) note(token string) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.of) >= maxDenials {
		maps.DeleteFunc(d.of, func(_ string, old denial) bool { return !now.Before(old.until) })
	}
	if d.of == nil || len(d.of) >= maxDenials {
		d.of = make(map[string]denial)
	}
	known := d.of[token]
	if !now.Before(known.until) {
		known = denial{}
	}
	d.of[token] = denial{known.times + 1, now.Add(denialTTL)}
}

// hold reports whether a download is not to be tried.
func (d *denials) hold(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.of[token]
	return known.times >= denialsBelieved && time.Now().Before(known.until)
}

func (d *denials) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of = nil
}

// wary is a meter that notes refusals.
type wary struct {
	resolver.Meter
	note func()
}

// Denied notes that a request was refused.
func (w wary) Denied() { w.note() }
