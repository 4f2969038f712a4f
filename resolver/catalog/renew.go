package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// retryDelay is how long a failed refresh is not tried again, so that a
	// directory that does not answer costs one call in a while however often
	// it is looked at.
	retryDelay = 5 * time.Second
	// patience is how long a refresh is waited for when there is an older
	// listing to show: a large folder takes minutes, a dead network longer.
	patience = 10 * time.Second
	// oldAge is the age from which on an expired listing is waited for. Who
	// works in a directory gets the last one at once; but a backup that looks
	// once a night must not always get that of the night before.
	oldAge = time.Hour
)

// errLost is about a listing that came along once and is no longer to be read.
var errLost = fmt.Errorf("listing is lost, asking for it again: %w", resolver.ErrUnavailable)

// pauseAfter is how long nothing is asked again that failed with err.
func pauseAfter(err error) time.Duration { return max(retryDelay, resolver.RetryAfter(err)) }

// flight is one refresh of a source.
type flight struct {
	revision string   // the provider's when the flight began
	before   *edition // what is to be replaced, or nil
	mark     string   // if not empty, what is new since then is asked for
	began    time.Time
	demand   *resolver.Demand
	outdated bool          // Expire came in between; guarded by Catalog.mu
	done     chan struct{} // closed when it has landed
	err      error         // why it brought nothing; to be read when done
}

// list returns the directory's listing: from memory when there is one that may
// be shown, and else when a refresh has ended. It is stale while it is being
// renewed.
func (c *Catalog) list(ctx context.Context, d *directory) (l *listing, stale bool, err error) {
	revision := c.revision()
	c.mu.Lock()
	s, now := d.source, time.Now()
	if d.held == nil && s.held != nil && s.err == nil && !s.outdated { // errLost
		s.expire()
	}
	mayShow := s.revision == revision && !s.outdated
	switch {
	case mayShow && now.Before(s.until):
		defer c.mu.Unlock()
		if d.held == nil {
			return nil, false, s.err
		}
		return d.held, false, nil
	case mayShow && d.held != nil && !s.old(now):
		defer c.mu.Unlock()
		c.join(s, revision, resolver.Background)
		return d.held, true, nil
	}
	before := d.held
	f := c.join(s, revision, resolver.Stat)
	c.mu.Unlock()
	return c.wait(ctx, f, d, before)
}

// wait returns the listing that a flight brings, or the one before, which may be
// nil, when it takes too long.
func (c *Catalog) wait(ctx context.Context, f *flight, d *directory, before *listing) (l *listing, stale bool, err error) {
	var late <-chan time.Time
	if before != nil {
		late = time.After(time.Until(f.began.Add(patience)))
	}
	select {
	case <-f.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		if d.held == nil {
			return nil, false, cmp.Or(f.err, d.source.err, errLost)
		}
		return d.held, false, nil
	case <-late:
		return before, true, nil
	case <-ctx.Done():
		return nil, false, fmt.Errorf("list %q: %w", d.id, ctx.Err())
	}
}

// join returns the refresh of a source, at least as urgent as u, and starts one
// if there is none. The caller holds c.mu.
func (c *Catalog) join(s *source, revision string, u resolver.Urgency) *flight {
	if s.flight != nil {
		s.flight.demand.Raise(u)
		return s.flight
	}
	f := &flight{
		revision: revision,
		before:   s.held,
		began:    time.Now(),
		demand:   resolver.NewDemand(u, nil),
		done:     make(chan struct{}),
	}
	if c.ctx.Err() != nil {
		f.err = errClosed
		close(f.done)
		return f
	}
	if held := s.held; held != nil && !s.mustBeWhole && held.revision == revision && held.mark.holds(f.began, c.cfg.WholeTTL) {
		f.mark = held.mark.text
	}
	s.flight = f
	c.flights.Go(func() {
		defer close(f.done)
		c.renew(s, f)
	})
	return f
}

// renew asks for a directory and puts what came of it in place.
func (c *Catalog) renew(s *source, f *flight) {
	told, err := c.fetch(f, s.of.id)
	switch {
	case err == nil:
		c.replace(s, f, told)
	case errors.Is(err, resolver.ErrNotExist):
		c.remove(s)
		c.land(s, f, nil, err)
		if f.before != nil {
			c.notices.add(s.of.id, nil)
		}
	default:
		c.land(s, f, nil, err)
	}
}

// replace ends a flight that brought an answer. What is to be saved or removed is
// handed on before it lands, so that the next flight hands on later.
func (c *Catalog) replace(s *source, f *flight, told *answer) {
	a := c.arrange(s, f, told)
	c.learnt.load(a.newcomers())
	c.forget(a.lost(), s)
	c.save(s, f, a)
	c.seed(told.entries)
	c.land(s, f, a, nil)
	for i := range a.steps {
		if news := &a.steps[i].news; news.count > 0 {
			c.notices.add(a.steps[i].dir, news.names)
		}
	}
}

// save keeps what arrived and is not on disk.
func (c *Catalog) save(s *source, f *flight, a *arrival) {
	c.mu.Lock()
	current := c.current(s)
	c.mu.Unlock()
	if !current {
		return
	}
	for i := range a.steps {
		switch step := &a.steps[i]; {
		case i > 0 && step.changed():
			c.cfg.Listings.save(step.dir, &edition{listing: step.after})
		case i == 0 && (step.changed() || f.before.revision != f.revision):
			c.cfg.Listings.save(step.dir, a.edition)
		}
	}
	if f.before == nil || f.before.mark != a.edition.mark {
		c.cfg.Listings.saveMark(s.of.id, a.edition.mark)
	}
}

// marked returns the mark of what an answer makes of the listing before.
func (f *flight) marked(told *answer) *mark {
	switch {
	case !told.whole && (told.mark == "" || told.mark == f.mark):
		return f.before.mark
	case !told.whole:
		return &mark{text: told.mark, whole: f.before.mark.whole}
	case told.mark != "":
		return &mark{text: told.mark, whole: f.began}
	}
	return nil
}

// land ends a flight: the directories take what arrived, or make do with what
// was there before.
func (c *Catalog) land(s *source, f *flight, a *arrival, err error) {
	now := time.Now()
	c.mu.Lock()
	wasStale := s.stale()
	s.flight, s.revision, s.err, s.outdated = nil, f.revision, err, f.outdated
	switch f.err = err; {
	case err == nil:
		s.held, s.until = a.edition, now.Add(c.cfg.ListingTTL)
		s.mustBeWhole = s.mustBeWhole && !a.whole || f.outdated
		c.settle(s, a)
	case s.held == nil || errors.Is(err, resolver.ErrNotExist):
		s.held, s.until = nil, now.Add(pauseAfter(err))
		if s.of.source == s {
			s.of.held = nil
		}
	default:
		s.until = now.Add(pauseAfter(err))
	}
	warn := s.stale() && !wasStale && c.ctx.Err() == nil
	c.sweep(now)
	c.mu.Unlock()

	if warn {
		level := slog.LevelWarn
		if errors.Is(err, resolver.ErrDown) { // the gate says so once for all directories
			level = slog.LevelDebug
		}
		c.log.Log(c.ctx, level, "listing could not be renewed, serving the old one", "directory", s.of.id, "error", err)
	}
}

// seed hands on the links that a listing brought along.
func (c *Catalog) seed(entries []resolver.Entry) {
	if c.cfg.Seed == nil {
		return
	}
	for i := range entries {
		switch e := &entries[i]; {
		case e.Dir:
			c.seed(e.Children)
		case e.Link != nil:
			c.cfg.Seed(e.ID, *e.Link)
		}
	}
}

// revision is the provider's, or empty for one that has none.
func (c *Catalog) revision() string {
	if r, ok := c.provider.(resolver.Revisioner); ok {
		return r.Revision()
	}
	return ""
}
