package limit

import (
	"cmp"
	"fmt"
	"time"
)

// Count is what was spent of a budget in one of its periods.
type Count struct {
	// Period names the day or month, as in 2026-11-22 or 2026-11.
	Period string `json:"period"`
	Used   int    `json:"used"`
	// Spent is the provider's word that nothing is left, whatever was used.
	Spent bool `json:"spent,omitempty"`
}

// plus is the sum of c and what else was spent, where the period of that counts.
func (c Count) plus(more Count) Count {
	if c.Period != more.Period {
		return more
	}
	return Count{c.Period, c.Used + more.Used, c.Spent || more.Spent}
}

// tally is a budget with its count. It is guarded by the ledger's mu.
type tally struct {
	Budget
	began   time.Time
	resets  time.Time
	stored  Count // as the store has it
	unsaved Count // of the same period, always
}

// roll begins the count anew if another day or month has begun.
func (t *tally) roll(now time.Time) {
	if !now.Before(t.began) && now.Before(t.resets) {
		return
	}
	period := ""
	t.began, t.resets, period = t.Budget.at(now)
	if t.stored.Period != period {
		t.stored = Count{Period: period}
		t.unsaved = t.stored
	}
}

// at returns the period that now is in: its begin, its end and its name.
func (b Budget) at(now time.Time) (begin, end time.Time, name string) {
	zone := cmp.Or(b.Zone, time.UTC)
	year, month, day := now.In(zone).Date()
	if b.Period == Month {
		begin = time.Date(year, month, 1, 0, 0, 0, 0, zone)
		return begin, time.Date(year, month+1, 1, 0, 0, 0, 0, zone), fmt.Sprintf("%04d-%02d", year, month)
	}
	begin = time.Date(year, month, day, 0, 0, 0, 0, zone)
	return begin, time.Date(year, month, day+1, 0, 0, 0, 0, zone), fmt.Sprintf("%04d-%02d-%02d", year, month, day)
}

// used is how many calls are gone: all of them if the provider says so.
func (t *tally) used() int {
	used := t.stored.Used + t.unsaved.Used
	if t.stored.Spent || t.unsaved.Spent {
		return max(used, t.Calls)
	}
	return used
}

func (t *tally) spent() bool { return t.used() >= t.Calls }

// reserve is which part of a budget is kept for calls that somebody waits for: a
// copy that reads ahead must not leave a person without a single one.
const reserve = 10

// reserved reports whether no more is left than the reserve, one call at least.
func (t *tally) reserved() bool { return t.Calls-t.used() <= max(1, t.Calls/reserve) }

func (t *tally) usage() Usage {
	return Usage{Key: t.Key, Used: t.used(), Calls: t.Calls, Resets: t.resets}
}

// settle notes that saved went to the store, which made it sum.
func (t *tally) settle(saved, sum Count) {
	if sum.Period != t.stored.Period {
		return // it is about a period that has ended meanwhile
	}
	t.stored = sum
	t.unsaved.Used -= saved.Used
	t.unsaved.Spent = t.unsaved.Spent && !saved.Spent
}
