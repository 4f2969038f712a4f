package broker

import (
	"cmp"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// oldestEvery is which batch of a lane is led by the oldest request,
	// however urgent others are, so that none starves.
	oldestEvery = 8
	// sharedFailures is after how many calls without an answer that others
	// rode in a file rides alone.
	sharedFailures = 2
	// siblingsSeen bounds how many siblings are looked at to fill a batch.
	siblingsSeen = 1000
)

// batchOf says what the file can be asked for with.
func (b *Broker) batchOf(id resolver.ID) resolver.Batch {
	batcher, ok := b.provider.(resolver.Batcher)
	if !ok {
		return resolver.Batch{Size: 1}
	}
	batch := batcher.Batch(id)
	batch.Size = max(1, batch.Size)
	return batch
}

// standing is a pending request as it stands when a batch is made.
type standing struct {
	*request
	urgency resolver.Urgency
	crowd   int // pending requests of its program
}

func (s standing) compare(o standing) int {
	return cmp.Or(cmp.Compare(o.urgency, s.urgency), cmp.Compare(s.crowd, o.crowd), cmp.Compare(s.number, o.number))
}

// queueLocked returns the requests that are due, in the order in which they are
// served.
func (l *lane) queueLocked() []standing {
	now := time.Now()
	queue := make([]standing, 0, len(l.pending))
	clients := make([]uint64, 0, len(l.pending))
	crowds := make(map[uint64]int)
	for _, r := range l.pending {
		if r.due(now) {
			urgency, client := r.urgency()
			queue = append(queue, standing{request: r, urgency: urgency})
			clients = append(clients, client)
			crowds[client]++
		}
	}
	for i := range queue {
		queue[i].crowd = crowds[clients[i]]
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
	waited := time.Duration(0)
	for _, r := range l.pending {
		waited = max(waited, time.Since(r.since))
	}
	if waited >= b.cfg.Collect {
		return 0
	}
	queue := l.queueLocked()
	if len(queue) == 0 || queue[0].alone() {
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
	lead := queue[0].request
	if l.batches%oldestEvery == 0 {
		lead = slices.MinFunc(queue, func(s, o standing) int { return cmp.Compare(s.number, o.number) }).request
	}
	riders := []*request{lead}
	lead.riding = true
	for _, s := range queue {
		if len(riders) == lead.batch.Size {
			break
		}
		if !s.riding && lead.takes(s.request) {
			s.riding = true
			riders = append(riders, s.request)
		}
	}
	l.pending = slices.DeleteFunc(l.pending, func(r *request) bool { return r.riding })
	return riders
}

// fill gives the free places of a batch to siblings of its files, in which
// nobody waits for an answer yet.
func (b *Broker) fill(riders []*request) []*request {
	lead := riders[0]
	if b.cfg.Siblings == nil || lead.alone() || len(riders) == lead.batch.Size {
		return riders
	}
	seen := 0
	for _, f := range b.filesOf(riders) {
		for id := range b.cfg.Siblings(f) {
			if len(riders) >= lead.batch.Size || seen == siblingsSeen {
				return riders
			}
			seen++
			if batch := b.batchOf(id); batch.Lane == lead.batch.Lane && batch.Group == lead.batch.Group {
				if s := b.sibling(id, batch); s != nil {
					riders = append(riders, s)
				}
			}
		}
	}
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
// is nothing to be asked.
func (b *Broker) sibling(id resolver.ID, batch resolver.Batch) *request {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	rec := b.recordLocked(id)
	if rec.request != nil || b.liveLocked(rec, now) || rec.refused != nil && now.Before(rec.until) {
		return nil
	}
	rec.request = b.requestLocked(resolver.File{ID: id}, batch)
	rec.request.riding = true
	return rec.request
}
