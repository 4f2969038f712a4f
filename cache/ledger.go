package cache

import (
	"slices"
	"sync"
	"time"
)

// ledger counts what the files of a Disk use, and when each was used last.
type ledger struct {
	mu    sync.Mutex // guards the following
	uses  map[fileName]use
	total int64
}

type use struct {
	bytes int64
	last  time.Time
}

func newLedger() *ledger { return &ledger{uses: make(map[fileName]use)} }

// note sets what a file uses.
func (l *ledger) note(name fileName, bytes int64, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += bytes - l.uses[name].bytes
	l.uses[name] = use{bytes, last}
}

// learn is note for a file of which nothing is known yet.
func (l *ledger) learn(name fileName, bytes int64, last time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.uses[name]; !known {
		l.total += bytes
		l.uses[name] = use{bytes, last}
	}
}

// touch says that a file was used, if it is known.
func (l *ledger) touch(name fileName, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u, known := l.uses[name]; known {
		l.uses[name] = use{u.bytes, now}
	}
}

func (l *ledger) remove(name fileName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total -= l.uses[name].bytes
	delete(l.uses, name)
}

func (l *ledger) bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// oldest returns the files that have to go for the rest to use at most target
// bytes, least recently used first. The one used last always stays: it is
// being read or written.
func (l *ledger) oldest(target int64) []fileName {
	type dated struct {
		fileName
		use
	}
	l.mu.Lock()
	left := l.total
	if left <= target {
		l.mu.Unlock()
		return nil
	}
	all := make([]dated, 0, len(l.uses))
	for name, u := range l.uses {
		all = append(all, dated{name, u})
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b dated) int { return a.last.Compare(b.last) })
	var names []fileName
	for _, f := range all[:max(0, len(all)-1)] {
		if left <= target {
			break
		}
		left -= f.bytes
		names = append(names, f.fileName)
	}
	return names
}
