package broker

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// neglectedEvery is which batch of a lane is led by the job that was
	// not served for longest, however urgent others are, so that none starves.
	neglectedEvery = 8
	// outage is how many calls of a lane in a row without an answer acquit the
	// files: the provider has none for any. Then a single file is asked for
	// from time to time, any: once it has an answer, others may be to blame.
	outage     = 8
	probeEvery = 2 * time.Second
	// siblingsSeen bounds how many siblings are looked at to fill a batch: most of
	// those of a large table have links when it is copied in any order. When so
	// many in a row as foreignSeen are of other groups, all that follow may be.
	siblingsSeen = 10_000
	foreignSeen  = 1000
)

// batchOf says what the file can be asked for with. It is called without locks
// held.
func (b *Broker) batchOf(id resolver.ID) (batch resolver.Batch, err error) {
	if batcher, ok := b.provider.(resolver.Batcher); ok {
		err = b.guard("provider", func() error {
			batch = batcher.Batch(id)
			return nil
		})
	}
	batch.Size = max(1, batch.Size)
	return batch, err
}

// job is who asks, with what is as urgent to it: people who wait come first,
// whatever it is that they wait for.
type job struct {
	urgency resolver.Urgency // at most Stat
	group   int              // of processes
}

// program is one process of a job.
type program struct {
	job
	process int
}

// standing is a pending request as it stands when a batch is made.
type standing struct {
	*request
	program program
	urgency resolver.Urgency
	crowd   int // pending requests of its job
	own     int // those of its program
}

// compare puts the people of few requests before a crowd. A scanner that starts
// a process for each file is a crowd by its job; where a desktop starts all its
// programs as one job, their own requests tell.
func (s standing) compare(o standing) int {
	return cmp.Or(
		cmp.Compare(o.program.urgency, s.program.urgency),
		cmp.Compare(s.crowd, o.crowd), cmp.Compare(s.own, o.own),
		cmp.Compare(o.urgency, s.urgency), cmp.Compare(s.number, o.number),
	)
}

// queueLocked returns the requests that are due, in the order in which they are
// served.
func (l *lane) queueLocked() []standing {
	now := time.Now()
	queue := make([]standing, 0, len(l.pending))
	crowds, owns := make(map[job]int), make(map[program]int)
	for _, r := range l.pending {
		if r.due(now) {
			urgency, client := r.urgency()
			p := program{job{min(urgency, resolver.Stat), client.Job}, client.Process}
			queue = append(queue, standing{request: r, program: p, urgency: urgency})
			crowds[p.job]++
			owns[p]++
		}
	}
	for i := range queue {
		queue[i].crowd, queue[i].own = crowds[queue[i].program.job], owns[queue[i].program]
	}
	slices.SortFunc(queue, standing.compare)
	return queue
}

// collect gives others a moment to join, if the next batch has free places and
// nobody in it has waited that long.
func (b *Broker) collect(l *lane) {
	if rest := b.collecting(l); rest > 0 {
		sleep(b.ctx, rest)
	}
}

func (b *Broker) collecting(l *lane) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	waited, now := time.Duration(0), time.Now()
	for _, r := range l.pending {
		if r.due(now) {
			waited = max(waited, now.Sub(r.since))
		}
	}
	if waited >= b.cfg.Collect {
		return 0
	}
	queue := l.queueLocked()
	if len(queue) == 0 || queue[0].suspect() {
		return 0
	}
	free := queue[0].batch.Size
	for _, s := range queue {
		if queue[0].takes(s.request) {
			free--
		}
	}
	if free <= 0 || queue[0].batch.Size == 1 {
		return 0
	}
	return b.cfg.Collect - waited
}

// choose takes the next batch out of the lane's pending requests.
func (b *Broker) choose(l *lane) []*request {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := l.queueLocked()
	if len(queue) == 0 || b.closed {
		return nil
	}
	l.batches++
	lead, most := queue[0].request, math.MaxInt
	switch now := time.Now(); {
	case l.outLocked() && lead.batch.Size > 1 && !now.Before(l.probe):
		lead, most = queue[rand.IntN(len(queue))].request, 1
		l.probe = now.Add(probeEvery)
	case l.batches%neglectedEvery == 0:
		lead = l.neglectedLocked(queue)
	}
	riders := l.batchLocked(lead, queue, most)
	l.rodeLocked(queue)
	l.pending = slices.DeleteFunc(l.pending, func(r *request) bool { return r.riding })
	return riders
}

// batchLocked makes a batch for lead and at most so many from the queue as each
// of them rides with.
func (l *lane) batchLocked(lead *request, queue []standing, most int) []*request {
	narrow := !l.outLocked()
	riders := []*request{lead}
	lead.riding = true
	most = min(most, lead.size(narrow))
	for _, s := range queue {
		if len(riders) == most {
			break
		}
		if !s.riding && lead.takes(s.request) && len(riders) < s.size(narrow) {
			s.riding = true
			riders = append(riders, s.request)
			most = min(most, s.size(narrow))
		}
	}
	return riders
}

// outLocked reports whether the provider has no answer for anybody.
func (l *lane) outLocked() bool { return l.lost >= outage }

// neglectedLocked is the oldest request of the job that waits longest for a
// batch with any of its requests.
func (l *lane) neglectedLocked(queue []standing) *request {
	waits := func(s standing) time.Time {
		if served := l.served[s.program.job]; served.After(s.since) {
			return served
		}
		return s.since
	}
	return slices.MinFunc(queue, func(s, o standing) int {
		return cmp.Or(waits(s).Compare(waits(o)), cmp.Compare(s.number, o.number))
	}).request
}

// rodeLocked notes the jobs of which requests ride by now, and forgets
// those that were not in the queue.
func (l *lane) rodeLocked(queue []standing) {
	served, now := make(map[job]time.Time), time.Now()
	for _, s := range queue {
		switch before, ok := l.served[s.program.job]; {
		case s.riding:
			served[s.program.job] = now
		case ok && served[s.program.job].IsZero():
			served[s.program.job] = before
		}
	}
	l.served = served
}

// suspectLocked notes that a call for the file and n-1 others had no answer: one
// of them may be to blame. When that happens again, half of them ride together.
// Meanwhile pauses do not grow if others are answered.
func (l *lane) suspectLocked(r *request, n int, now time.Time) {
	switch {
	case !r.suspect():
		r.most = r.batch.Size
	case n <= r.most && !l.outLocked():
		r.most = max(1, n/2)
	}
	if !l.outLocked() && now.Sub(l.answered) < 2*lastPause { // a round ago, or in this one
		r.failures = 0
	}
}

// fill gives the free places of a batch to siblings of its files, in which
// nobody waits for an answer yet.
func (b *Broker) fill(riders []*request) []*request {
	if b.cfg.Siblings == nil || riders[0].suspect() || len(riders) == riders[0].batch.Size {
		return riders
	}
	_ = b.guard("siblings", func() error { // those found before a panic ride
		seen, foreign := 0, 0
		for _, f := range b.filesOf(riders) {
			for id := range b.cfg.Siblings(f) {
				if len(riders) >= riders[0].batch.Size || seen == siblingsSeen || foreign == foreignSeen {
					return nil
				}
				seen++
				s, rides := b.sibling(id, riders[0].batch)
				if s != nil {
					riders = append(riders, s)
				}
				if foreign++; rides {
					foreign = 0
				}
			}
		}
		return nil
	})
	return riders
}

func (b *Broker) filesOf(riders []*request) []resolver.File {
	b.mu.Lock()
	defer b.mu.Unlock()
	files := make([]resolver.File, len(riders))
	for i, r := range riders {
		files[i] = r.file
	}
	return files
}

// sibling makes a request for a file that nobody asked for yet, or nil if there
// is nothing to be asked or it cannot ride in the batch, which rides tells.
func (b *Broker) sibling(id resolver.ID, ride resolver.Batch) (r *request, rides bool) {
	batch, err := b.batchOf(id)
	if err != nil || batch.Lane != ride.Lane || batch.Group != ride.Group {
		return nil, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	rec := b.recordLocked(id)
	if rec.request != nil || b.liveLocked(rec, now) || rec.refused != nil && now.Before(rec.until) {
		return nil, true
	}
	rec.request = b.requestLocked(resolver.File{ID: id}, batch)
	rec.request.riding = true
	return rec.request, true
}
