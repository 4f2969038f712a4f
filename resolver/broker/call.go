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
	riders, ids, limit := b.board(l, riders)
	if len(riders) == 0 {
		b.cfg.Gate.Report(context.Canceled)
		return
	}
	answers, err := b.resolve(resolver.WithDemand(b.ctx, demand), ids, limit)
	b.heard(l, err)
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
		b.failed(l, riders, err)
	}
}

// board returns who is left to ride in a call, what it asks for and how long it
// may take. Those with whom patience ended while they waited for it are dropped.
func (b *Broker) board(l *lane, riders []*request) (aboard []*request, ids []resolver.ID, limit time.Duration) {
	now := time.Now()
	waited, siblings := time.Duration(0), 0
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range riders {
		if r.spent(now) {
			b.endLocked(r, r.trouble)
			continue
		}
		r.start(now, b.cfg.Patience)
		r.epoch = b.epoch
		if !r.wanted() {
			siblings++
		}
		aboard, ids = append(aboard, r), append(ids, r.file.ID)
		limit = max(limit, r.limit(now, b.cfg.CallTimeout))
		waited = max(waited, now.Sub(r.since))
	}
	if len(aboard) > 0 {
		b.log.Debug("link call", "lane", l.name, "group", aboard[0].batch.Group,
			"files", len(aboard), "siblings", siblings, "waited", waited)
	}
	return aboard, ids, limit
}

// heard notes whether a call of the lane had an answer.
func (b *Broker) heard(l *lane, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil || final(err):
		l.answered, l.lost = time.Now(), 0
	case !errors.Is(err, resolver.ErrThrottled):
		l.lost++
	}
}

// resolve asks the provider once and gives it limit to answer. There is an
// answer for each id unless the call failed as a whole.
func (b *Broker) resolve(ctx context.Context, ids []resolver.ID, limit time.Duration) (answers []resolver.Answer, err error) {
	late := fmt.Errorf("no answer within %v: %w", limit, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	err = b.guard("provider", func() error {
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
	for i, part := range parts {
		if s.alone >= refusedAlone && !s.served {
			b.failed(l, part, verdict)
			continue
		}
		demand := resolver.NewDemand(resolver.Background, nil)
		if err := b.takePart(l, parts[i:], demand); err != nil {
			b.partFailed(part, err)
			continue
		}
		b.ask(l, part, demand, s)
	}
}

// takePart is admit for the first part, behind which the others wait.
func (b *Broker) takePart(l *lane, parts [][]*request, demand *resolver.Demand) error {
	waiting := slices.Concat(parts...)
	b.await(waiting, demand)
	defer b.await(waiting, nil)
	return b.admit(l.name, demand, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return raise(demand, parts[0], (*request).wanted)
	})
}

// await notes the turn that riders wait for.
func (b *Broker) await(riders []*request, turn *resolver.Demand) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range riders {
		r.turn = turn
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
	now := time.Now()
	for i, r := range riders {
		link, err := answers[i].Link, answers[i].Err
		if err == nil && len(link.URLs) == 0 {
			err = fmt.Errorf("answer without a link: %w", resolver.ErrUnavailable)
		}
		switch {
		case err != nil:
			b.failedLocked(r, err, now)
		case b.closed:
			b.endLocked(r, errClosed)
		default:
			rec := b.memoryLocked(r)
			b.replaceLocked(r.file.ID, rec, link)
			r.lease = rec.lease
			b.endLocked(r, nil)
		}
	}
}

// memoryLocked is where an answer for the request is remembered: nowhere, if all
// was to be forgotten since it was asked for.
func (b *Broker) memoryLocked(r *request) *record {
	if r.epoch != b.epoch {
		return &record{}
	}
	return b.files[r.file.ID]
}

// failed deals out the error of a whole call.
func (b *Broker) failed(l *lane, riders []*request, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now() // one for all, who are due together again
	for _, r := range riders {
		if len(riders) > 1 && !final(err) && !errors.Is(err, resolver.ErrThrottled) {
			l.suspectLocked(r, len(riders), now)
		}
		b.failedLocked(r, err, now)
	}
}

// failedLocked ends a request with err, or makes it pending again if err may
// pass and somebody waits.
func (b *Broker) failedLocked(r *request, err error, now time.Time) {
	wrapped := fmt.Errorf("lease: %w", err)
	switch {
	case b.closed:
		b.endLocked(r, errClosed)
	case final(err):
		b.log.Debug("link refused", "file", r.file.ID, "error", err)
		if r.asked || !r.ahead && aboutFiles(err) {
			b.refuseLocked(b.memoryLocked(r), wrapped)
		}
		b.endLocked(r, wrapped)
	case !b.retryLocked(r, wrapped, now):
		b.endLocked(r, wrapped)
	}
}

// retryLocked makes a request pending again after a pause. It is false when
// nobody waits or patience would not outlast the pause.
func (b *Broker) retryLocked(r *request, err error, now time.Time) bool {
	pause := lastPause
	if r.failures < 6 {
		pause = min(pause, firstPause<<r.failures)
	}
	pause = max(pause, resolver.RetryAfter(err))
	if len(r.waiters) == 0 || r.end.Sub(now) <= pause {
		return false
	}
	r.failures++
	r.trouble, r.ready = err, now.Add(pause)
	b.log.Debug("no link now, asking again", "file", r.file.ID, "error", err, "pause", pause)
	b.enqueueLocked(r)
	return true
}

// partFailed deals out why no call was made for part of a batch. A file that
// somebody came to want only after that goes back to the others.
func (b *Broker) partFailed(part []*request, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, r := range part {
		switch {
		case b.closed:
			b.endLocked(r, errClosed)
		case !errors.Is(err, errUnwanted):
			b.turnedAwayLocked(r, err, now)
		case r.wanted():
			b.enqueueLocked(r)
		default:
			b.endLocked(r, errUnwanted)
		}
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
