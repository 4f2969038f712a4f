package limit

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// saveDelay is how long counts stay unsaved: what a kill can lose.
const saveDelay = time.Second

// Store keeps the counts of budgets beyond the end of the process.
type Store interface {
	// Add adds counts to those of the same keys in the store, and returns the
	// sums. A count of another period than the one in the store replaces it.
	// It comes back within seconds and is not called in parallel.
	Add(counts map[string]Count) (map[string]Count, error)
}

// ledger counts the calls of all budgets.
type ledger struct {
	store Store // nil to keep nothing
	log   *slog.Logger
	saved func() // called after a timed save, without locks

	saving sync.Mutex // held while the store is used, so that sums arrive in order

	mu      sync.Mutex // guards the following
	tallies map[string]*tally
	timer   *time.Timer // of the save that is due, nil if none is
	closed  bool
	warned  bool
}

// open returns the tallies of budgets, with what the store knows of them.
func (l *ledger) open(budgets []Budget) []*tally {
	now := time.Now()
	var tallies []*tally
	l.mu.Lock()
	for _, b := range budgets {
		if b.Calls < 1 {
			continue
		}
		t := l.tallies[b.Key]
		if t == nil {
			t = &tally{Budget: b}
			t.roll(now)
			l.tallies[b.Key] = t
		}
		tallies = append(tallies, t)
	}
	l.mu.Unlock()
	if len(tallies) > 0 {
		_ = l.save() // it warned; without the store the count begins at nothing
	}
	return tallies
}

// check returns the error of who asks for a spent budget, nil if none is.
func (l *ledger) check(tallies []*tally, now time.Time) error {
	if len(tallies) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return refusal(tallies, now)
}

// refusal is check for those who hold the ledger's mu.
func refusal(tallies []*tally, now time.Time) error {
	for _, t := range tallies {
		if t.roll(now); t.spent() {
			return fmt.Errorf("budget %s: %v: %w", t.Key, t.usage(), resolver.ErrQuota)
		}
	}
	return nil
}

// take counts one call in all tallies, or in none and says why. It reports
// whether that spent one of them.
func (l *ledger) take(tallies []*tally, now time.Time, u resolver.Urgency) (spent bool, err error) {
	if len(tallies) == 0 {
		return false, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := refusal(tallies, now); err != nil {
		return false, err
	}
	for _, t := range tallies {
		if u <= resolver.Ahead && t.reserved() {
			return false, fmt.Errorf("budget %s: %v: %w", t.Key, t.usage(), resolver.ErrReserved)
		}
	}
	for _, t := range tallies {
		t.unsaved.Used++
		spent = spent || t.spent()
	}
	l.saveSoon()
	return spent, nil
}

// exhaust marks the one of the tallies as spent that resets first. It stays the
// same one, however many calls meet the end of the quota.
func (l *ledger) exhaust(tallies []*tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, t := range tallies {
		t.roll(now)
	}
	first := slices.MinFunc(tallies, func(a, b *tally) int { return a.resets.Compare(b.resets) })
	first.unsaved.Spent = true
	l.saveSoon()
}

// usage returns all budgets in no order.
func (l *ledger) usage() []Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	var all []Usage
	for _, t := range l.tallies {
		t.roll(now)
		all = append(all, t.usage())
	}
	return all
}

// saveSoon has the counts saved after saveDelay. Callers hold mu.
func (l *ledger) saveSoon() {
	if l.store == nil || l.closed || l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(saveDelay, func() {
		_ = l.save() // what was not saved goes with the next change
		l.saved()
	})
}

// save adds what was counted to the store, and learns what others counted.
func (l *ledger) save() error {
	if l.store == nil {
		return nil
	}
	l.saving.Lock()
	defer l.saving.Unlock()
	counts := l.unsaved()
	if len(counts) == 0 {
		return nil
	}
	sums, err := l.store.Add(counts)
	if err != nil {
		l.warn(err)
		return fmt.Errorf("save call budgets: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, saved := range counts {
		l.tallies[key].settle(saved, sums[key])
	}
	return nil
}

// warn says once that the store does not work.
func (l *ledger) warn(err error) {
	l.mu.Lock()
	first := !l.warned
	l.warned = true
	l.mu.Unlock()
	if first {
		l.log.Warn("call budgets cannot be kept on disk, counting in memory", "error", err)
	}
}

// unsaved returns what the store does not have yet, with a zero count for those
// of which it has everything.
func (l *ledger) unsaved() map[string]Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	now := time.Now()
	counts := make(map[string]Count, len(l.tallies))
	for key, t := range l.tallies {
		t.roll(now)
		counts[key] = t.unsaved
	}
	return counts
}

func (l *ledger) close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.save()
}
