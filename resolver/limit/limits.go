package limit

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Spec is what a provider allows of one kind of call.
type Spec struct {
	// Rates hold all at once.
	Rates []Rate
	// Budgets are each charged with every call.
	Budgets []Budget
}

// Rate allows a number of calls in any window of a length. One with Calls or
// Per below 1 limits nothing.
type Rate struct {
	Calls int
	Per   time.Duration
}

// Period is the time after which a budget is new again.
type Period int

// The periods begin at midnight in the zone of the budget.
const (
	Day Period = iota
	Month
)

// Budget allows a number of calls in a day or month. One with Calls below 1
// limits nothing.
type Budget struct {
	// Key names the budget and holds no secret. Buckets that name the same key
	// share it; the first of them sets its terms. A day's and a month's budget
	// have different keys.
	Key    string
	Calls  int
	Period Period
	// Zone is where the period begins; nil is UTC.
	Zone *time.Location
}

// Usage is how much of a budget is spent.
type Usage struct {
	Key         string
	Used, Calls int
	// Resets is when the budget is new again, in its zone.
	Resets time.Time
}

// String tells all but the key, for people.
func (u Usage) String() string {
	return fmt.Sprintf("%s of %s calls used, until %s",
		grouped(u.Used), grouped(u.Calls), u.Resets.Format("2006-01-02 15:04 -07:00"))
}

// grouped writes n with a comma before every three digits.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// Limits holds the buckets of the process, so that providers that share an app
// share its limits. Its methods may be called in parallel.
type Limits struct {
	ledger *ledger

	mu      sync.Mutex // guards the following
	buckets map[string]*Bucket
}

// New makes limits without buckets. Budgets are kept in store, or only in
// memory if that is nil. A nil log means slog.Default.
func New(store Store, log *slog.Logger) *Limits {
	l := &Limits{buckets: make(map[string]*Bucket)}
	l.ledger = &ledger{
		store:   store,
		log:     cmp.Or(log, slog.Default()),
		saved:   l.serveAll,
		tallies: make(map[string]*tally),
	}
	return l
}

// Bucket returns the bucket of key, which is a credential and an endpoint and
// holds no secret. The same key gives the same bucket, with the spec that it
// was first asked for with. It reads the store for the budgets of a new one,
// which nobody else waits for.
func (l *Limits) Bucket(key string, spec Spec) *Bucket {
	if b := l.bucket(key); b != nil {
		return b
	}
	fresh := &Bucket{limits: l, windows: windows(spec.Rates), tallies: l.ledger.open(spec.Budgets)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.buckets[key]; b != nil { // somebody was faster
		return b
	}
	l.buckets[key] = fresh
	return fresh
}

// bucket is that of key, nil if there is none yet.
func (l *Limits) bucket(key string) *Bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buckets[key]
}

// Usage returns the budgets whose key begins with prefix, sorted by key. What
// other processes spent is in it as of the last save.
func (l *Limits) Usage(prefix string) []Usage {
	all := l.ledger.usage()
	all = slices.DeleteFunc(all, func(u Usage) bool { return !strings.HasPrefix(u.Key, prefix) })
	slices.SortFunc(all, func(a, b Usage) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// Close saves what the budgets counted. Buckets go on after it, but only in
// memory. Closing again is harmless.
func (l *Limits) Close() error { return l.ledger.close() }

// serveAll lets all who wait know of a budget that may be spent.
func (l *Limits) serveAll() {
	l.mu.Lock()
	buckets := slices.Collect(maps.Values(l.buckets))
	l.mu.Unlock()
	for _, b := range buckets {
		b.serve()
	}
}
