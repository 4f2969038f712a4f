package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// firstPause and lastPause bound the wait before a provider that had no
	// answer is asked again; it doubles in between.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// refusedAlone is how many single files in a row may be refused before a
	// verdict counts for all that rode in a call of which nothing was served.
	refusedAlone = 3
)

// search finds out which files of a call its refusal is about.
type search struct {
	served bool // the provider answered for some of them
	alone  int  // single files refused in a row
}

// ask makes one call for all riders and deals out what came of it. Demand is
// that of the turn.
func (b *Broker) ask(l *lane, riders []*request, demand *resolver.Demand, s *search) {
	ids, limit := b.board(l, riders)
	answers, err := b.resolve(resolver.WithDemand(b.ctx, demand), ids, limit)
	switch {
	case err == nil:
		s.served, s.alone = true, 0
		b.answered(riders, answers)
	case len(riders) > 1 && aboutFiles(err):
		b.bisect(l, riders, err, s)
	default:
		if aboutFiles(err) {
			s.alone++
		}
		b.failed(riders, err)
	}
}

// board returns what a call for the riders asks for, and how long it may take.
func (b *Broker) board(l *lane, riders []*request) (ids []resolver.ID, limit time.Duration) {
	now := time.Now()
	waited, siblings := time.Duration(0), 0
	b.mu.Lock()
	for _, r := range riders {
		if r.end.IsZero() {
			r.end = now.Add(b.cfg.Patience)
		}
		if !r.wanted() {
			siblings++
		}
		ids = append(ids, r.file.ID)
		limit = max(limit, r.limit(now, b.cfg.CallTimeout))
		waited = max(waited, now.Sub(r.since))
	}
	b.mu.Unlock()
	b.log.Debug("link call", "lane", l.name, "group", riders[0].batch.Group,
		"files", len(riders), "siblings", siblings, "waited", waited)
	return ids, limit
}

// resolve asks the provider once and gives it limit to answer. There is an
// answer for each id unless the call failed as a whole.
func (b *Broker) resolve(ctx context.Context, ids []resolver.ID, limit time.Duration) (answers []resolver.Answer, err error) {
	late := fmt.Errorf("no answer within %v: %w", limit, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	err = b.guard(func() error {
		answers, err = b.provider.Resolve(ctx, ids)
		return err
	})
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err = context.Cause(ctx)
	case err == nil && len(answers) != len(ids):
		err = fmt.Errorf("%d answers for %d files: %w", len(answers), len(ids), resolver.ErrUnavailable)
	}
	if b.ctx.Err() != nil {
		b.cfg.Gate.Report(context.Canceled)
	} else {
		b.cfg.Gate.Report(err)
	}
	return answers, err
}

// bisect asks again, in parts, after a refusal of the whole call: first without
// those that nobody waits for, else by halves. Those with waiters go first.
func (b *Broker) bisect(l *lane, riders []*request, verdict error, s *search) {
	wanted := b.wanted(riders)
	parts := [][]*request{wanted}
	if len(wanted) == len(riders) {
		parts = [][]*request{wanted[:len(wanted)/2], wanted[len(wanted)/2:]}
	}
	b.log.Debug("link call refused, asking in parts", "lane", l.name, "files", len(riders), "error", verdict)
	for _, part := range parts {
		if s.alone >= refusedAlone && !s.served {
			b.failed(part, verdict)
			continue
		}
		demand := resolver.NewDemand(resolver.Background, nil)
		err := b.admit(l.name, demand, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return raise(demand, part, (*request).wanted)
		})
		if err != nil {
			b.end(part, err)
			continue
		}
		b.ask(l, part, demand, s)
	}
}

// wanted drops the riders that nobody waits for and returns the others, those
// with waiters first.
func (b *Broker) wanted(riders []*request) []*request {
	b.mu.Lock()
	defer b.mu.Unlock()
	var waiting, ahead []*request
	for _, r := range riders {
		switch {
		case len(r.waiters) > 0:
			waiting = append(waiting, r)
		case r.ahead:
			ahead = append(ahead, r)
		default:
			b.endLocked(r, errUnwanted)
		}
	}
	return slices.Concat(waiting, ahead)
}

// answered deals out the answers of a call.
func (b *Broker) answered(riders []*request, answers []resolver.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range riders {
		link, err := answers[i].Link, answers[i].Err
		if err == nil && len(link.URLs) == 0 {
			err = fmt.Errorf("answer without a link: %w", resolver.ErrUnavailable)
		}
		switch {
		case err != nil:
			b.failedLocked(r, err)
		case b.closed:
			b.endLocked(r, errClosed)
		default:
			rec := b.files[r.file.ID]
			b.replaceLocked(r.file.ID, rec, link)
			r.lease = rec.lease
			b.endLocked(r, nil)
		}
	}
}

// failed deals out the error of a whole call.
func (b *Broker) failed(riders []*request, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range riders {
		if len(riders) > 1 && !errors.Is(err, resolver.ErrThrottled) {
			r.shared++
		}
		b.failedLocked(r, err)
	}
}

// failedLocked ends a request with err, or makes it pending again if err may
// pass and somebody waits.
func (b *Broker) failedLocked(r *request, err error) {
	wrapped := fmt.Errorf("lease: %w", err)
	switch {
	case b.closed:
		b.endLocked(r, errClosed)
	case final(err):
		b.log.Debug("link refused", "file", r.file.ID, "error", err)
		if r.asked || !r.ahead && aboutFiles(err) {
			b.refuseLocked(b.files[r.file.ID], wrapped)
		}
		b.endLocked(r, wrapped)
	case !b.retryLocked(r, wrapped):
		b.endLocked(r, wrapped)
	}
}

// retryLocked makes a request pending again after a pause. It is false when
// nobody waits or patience would not outlast the pause.
func (b *Broker) retryLocked(r *request, err error) bool {
	pause := lastPause
	if r.failures < 6 {
		pause = min(pause, firstPause<<r.failures)
	}
	pause = max(pause, resolver.RetryAfter(err))
	now := time.Now()
	if len(r.waiters) == 0 || r.end.Sub(now) <= pause {
		return false
	}
	r.failures++
	r.trouble, r.ready = err, now.Add(pause)
	b.log.Debug("no link now, asking again", "file", r.file.ID, "error", err, "pause", pause)
	b.enqueueLocked(r)
	return true
}

// end ends requests whose call was not made. One that somebody came to want
// only after that goes back to the others.
func (b *Broker) end(riders []*request, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range riders {
		if errors.Is(err, errUnwanted) && r.wanted() && !b.closed {
			b.enqueueLocked(r)
			continue
		}
		b.endLocked(r, fmt.Errorf("lease: %w", err))
	}
}

// endLocked tells all who wait that the request is at its end.
func (b *Broker) endLocked(r *request, err error) {
	rec := b.files[r.file.ID]
	rec.request = nil
	if err != nil && r.ahead && rec.lease != nil {
		rec.renew = time.Now().Add(rec.life / renewAgain)
		b.log.Debug("link not renewed ahead of its end", "file", r.file.ID, "error", err)
	}
	r.err = err
	close(r.done)
}

// aboutFiles reports whether err is a refusal of a file, or of some among many,
// and not of the account.
func aboutFiles(err error) bool {
	return resolver.Refused(err) || errors.Is(err, resolver.ErrNotExist)
}

// final reports whether asking again soon cannot help.
func final(err error) bool {
	return aboutFiles(err) || errors.Is(err, resolver.ErrPermission) || errors.Is(err, resolver.ErrQuota)
}
