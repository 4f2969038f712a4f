package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// lockWait is how long another process may take to let go of the database.
	lockWait = time.Second
	// saveDelay gathers what comes together into one transaction, which costs two
	// fsyncs however much is in it.
	saveDelay = 100 * time.Millisecond
)

// errDamaged says that a database is not what was once written to it.
var errDamaged = errors.New("damaged")

// State keeps on disk what catalogs remember, in one database for all
// providers. Its methods may be called in parallel.
type State struct {
	path string
	db   *bbolt.DB
	log  *slog.Logger

	wake   chan struct{} // holds one token when there is something to save
	quit   chan struct{}
	writer sync.WaitGroup
	close  func() error

	mu      sync.Mutex // guards the following
	learnt  map[string]*Learnt
	tables  map[string]*table // by bucket
	damaged bool              // found so in this run: neither read nor written any more
}

// OpenState opens the database at path and makes it if there is none. A damaged
// one is moved to path with ".corrupt" appended, a warning is logged, and a
// fresh one begun. One that another process holds is an error. The caller
// closes the state, after those who learn. A nil log means slog.Default.
func OpenState(path string, log *slog.Logger) (*State, error) {
	log = cmp.Or(log, slog.Default())
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	db, err := openDatabase(path)
	if errors.Is(err, errDamaged) {
		log.Warn("state database is damaged, beginning a fresh one", "path", path, "kept", aside(path), "error", err)
		if err := os.Rename(path, aside(path)); err != nil {
			return nil, fmt.Errorf("move damaged state aside: %w", err)
		}
		db, err = openDatabase(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	s := &State{
		path:   path,
		db:     db,
		log:    log,
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		learnt: make(map[string]*Learnt),
		tables: make(map[string]*table),
	}
	s.close = sync.OnceValue(s.shut)
	s.writer.Go(s.save)
	return s, nil
}

func aside(path string) string { return path + ".corrupt" }

// openDatabase opens and checks a database; errDamaged if it is not sound.
func openDatabase(path string) (db *bbolt.DB, err error) {
	err = guarded(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
		return err
	})
	var pathError *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, errors.New("in use by another attachfs; give each its own cache.dir")
	case errors.Is(err, errDamaged), errors.As(err, &pathError), errors.As(err, &errno):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	info, err := os.Stat(path)
	if err == nil {
		err = guarded(func() error { return db.View(func(tx *bbolt.Tx) error { return checkLength(tx, info) }) })
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkLength finds a database that lost its end, in whose pages bbolt would
// read beyond the file.
func checkLength(tx *bbolt.Tx, info fs.FileInfo) error {
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w: %d bytes of %d", errDamaged, info.Size(), tx.Size())
	}
	return nil
}

// guarded runs f on a database. bbolt trusts its pages: over a bad one it
// panics or touches memory outside of the file, which becomes errDamaged here.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

// Learnt returns what was learnt of a provider, named by a key of its name and
// account. The same key gives the same Learnt.
func (s *State) Learnt(provider string) *Learnt {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.learnt[provider]
	if l == nil {
		l = &Learnt{table: s.table("learnt/" + provider)}
		s.learnt[provider] = l
	}
	return l
}

// Listings returns what a provider listed, under the same key as Learnt.
func (s *State) Listings(provider string) *Listings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Listings{table: s.table("listings/" + provider)}
}

// table returns the table of a bucket, one for all who ask. The caller holds
// s.mu.
func (s *State) table(bucket string) *table {
	t := s.tables[bucket]
	if t == nil {
		t = &table{state: s, bucket: []byte(bucket)}
		s.tables[bucket] = t
	}
	return t
}

// Close saves what is not saved yet and closes the database. What is learnt
// or listed afterwards stays in memory. Closing again is harmless.
func (s *State) Close() error { return s.close() }

func (s *State) shut() error {
	close(s.quit)
	s.writer.Wait()
	err := s.flush()
	if s.sound() {
		return errors.Join(err, s.db.Close())
	}
	// A database that panicked may hold its own locks for ever, so it is left
	// to the end of the process. The next run begins a fresh one.
	if err := os.Rename(s.path, aside(s.path)); err != nil {
		return fmt.Errorf("move damaged state aside: %w", err)
	}
	return nil
}

func (s *State) wakeWriter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// save writes what is put, in batches, until quit.
func (s *State) save() {
	failing := false
	for {
		select {
		case <-s.wake:
		case <-s.quit:
			return
		}
		select {
		case <-time.After(saveDelay):
		case <-s.quit:
			return
		}
		err := s.flush()
		if err != nil && !failing {
			s.log.Warn("state could not be saved, keeping it in memory", "error", err)
		}
		failing = err != nil
	}
}

// flush writes everything unsaved in one transaction. What could not be written
// goes with the next one.
func (s *State) flush() error {
	batches := make(map[*table]map[string]value)
	s.mu.Lock()
	if !s.damaged {
		for _, t := range s.tables {
			if batch := t.batch(); len(batch) > 0 {
				batches[t] = batch
			}
		}
	}
	s.mu.Unlock()
	if len(batches) == 0 {
		return nil
	}
	err := s.run(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			for t, batch := range batches {
				if err := t.write(tx, batch); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	for t, batch := range batches {
		t.saved(batch)
	}
	return nil
}

// run is guarded, and remembers damage.
func (s *State) run(f func() error) error {
	err := guarded(f)
	if !errors.Is(err, errDamaged) {
		return err
	}
	s.mu.Lock()
	first := !s.damaged
	s.damaged = true
	s.mu.Unlock()
	if first {
		s.log.Warn("state database is damaged, the next start begins a fresh one", "path", s.path, "error", err)
	}
	return err
}

func (s *State) sound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.damaged
}
