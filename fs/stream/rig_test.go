package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// pattern is content of which every byte follows from its place.
type pattern struct {
	seed byte
	size int64
}

func (p pattern) fill(b []byte, off int64) {
	for i := range b {
		o := off + int64(i)
		b[i] = p.seed + byte(o*7) + byte(o>>8)*13 + byte(o>>16)*31
	}
}

func (p pattern) bytes(off int64, n int) []byte {
	b := make([]byte, max(0, min(int64(n), p.size-off)))
	p.fill(b, off)
	return b
}

// object is a file at the fake origin. The origin's lock guards it.
type object struct {
	content        pattern
	etag, modified string
	crc            string // the header of a store that has one
	noRanges       bool
	noLength       bool
	noTotal        bool
	script         []fault // of the next requests, in order
	always         *fault  // of all requests after the script
}

// fault is what happens to one request. The zero fault is none.
type fault struct {
	status     int
	header     http.Header
	body       string        // in place of the file, with a status of 200
	cutAfter   int64         // bytes of the body that come before it is cut; 0 for all
	stallAfter int64         // bytes of the body that come before it stands still; 0 for never
	dead       bool          // not even a head comes
	hold       chan struct{} // the head comes when it is closed
	pace       time.Duration // the body comes in pieces of step bytes, with pauses of pace
	step       int
	panic      bool
}

type request struct {
	path  string
	want  string // the Range header
	at    time.Time
	lease string
}

// fakeOrigin is a transport that answers by itself.
type fakeOrigin struct {
	mu       sync.Mutex // guards the following
	objects  map[string]*object
	requests []request
	open     int // bodies that were not closed yet
	served   int64
}

func (o *fakeOrigin) RoundTrip(req *http.Request) (*http.Response, error) {
	o.mu.Lock()
	obj := o.objects[req.URL.Path]
	if obj == nil {
		o.mu.Unlock()
		return nil, fmt.Errorf("no such object %q", req.URL.Path)
	}
	o.requests = append(o.requests, request{req.URL.Path, req.Header.Get("Range"), time.Now(), req.URL.RawQuery})
	var f fault
	switch {
	case len(obj.script) > 0:
		f, obj.script = obj.script[0], obj.script[1:]
	case obj.always != nil:
		f = *obj.always
	}
	state := *obj
	o.mu.Unlock()
	if f.panic {
		panic("transport gone mad")
	}
	if f.dead {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	return o.answer(req, state, f), nil
}

func (o *fakeOrigin) answer(req *http.Request, obj object, f fault) *http.Response {
	resp := &http.Response{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: make(http.Header),
	}
	for name, values := range f.header {
		resp.Header[name] = values
	}
	status := func(code int) { resp.StatusCode, resp.Status = code, strconv.Itoa(code)+" "+http.StatusText(code) }
	if f.status != 0 || f.body != "" {
		status(max(f.status, http.StatusOK))
		resp.ContentLength, resp.Body = int64(len(f.body)), io.NopCloser(bytes.NewBufferString(f.body))
		return resp
	}
	if obj.etag != "" {
		resp.Header.Set("ETag", obj.etag)
	}
	if obj.modified != "" {
		resp.Header.Set("Last-Modified", obj.modified)
	}
	if obj.crc != "" {
		resp.Header.Set(crcHeader, obj.crc)
	}
	start, limit := int64(0), obj.content.size
	status(http.StatusOK)
	if want := req.Header.Get("Range"); want != "" && !obj.noRanges {
		var last int64
		if n, _ := fmt.Sscanf(want, "bytes=%d-%d", &start, &last); n == 2 {
			limit = min(last+1, obj.content.size)
		}
		if start >= obj.content.size {
			status(http.StatusRequestedRangeNotSatisfiable)
			resp.Header.Set("Content-Range", fmt.Sprintf("bytes */%d", obj.content.size))
			resp.Body = http.NoBody
			return resp
		}
		status(http.StatusPartialContent)
		total := strconv.FormatInt(obj.content.size, 10)
		if obj.noTotal {
			total = "*"
		}
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", start, limit-1, total))
	}
	resp.ContentLength = limit - start
	if obj.noLength {
		resp.ContentLength = -1
	}
	o.mu.Lock()
	o.open++
	o.mu.Unlock()
	resp.Body = &fakeBody{o: o, ctx: req.Context(), content: obj.content, start: start, pos: start, limit: limit, fault: f}
	return resp
}

// fakeBody streams a piece of a pattern, with its fault.
type fakeBody struct {
	o                 *fakeOrigin
	ctx               context.Context
	content           pattern
	start, pos, limit int64
	fault             fault
	closed            bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n := min(int64(len(p)), b.limit-b.pos, 32*kib)
	if b.fault.pace > 0 {
		select {
		case <-time.After(b.fault.pace):
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
		n = min(n, int64(b.fault.step))
	}
	if after := b.fault.cutAfter; after > 0 {
		if n = min(n, b.start+after-b.pos); n == 0 && b.pos < b.limit {
			return 0, io.ErrUnexpectedEOF
		}
	}
	if after := b.fault.stallAfter; after > 0 {
		if n = min(n, b.start+after-b.pos); n == 0 && b.pos < b.limit {
			<-b.ctx.Done()
			return 0, b.ctx.Err()
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	b.content.fill(p[:n], b.pos)
	b.pos += n
	b.o.mu.Lock()
	b.o.served += n
	b.o.mu.Unlock()
	return int(n), nil
}

func (b *fakeBody) Close() error {
	b.o.mu.Lock()
	defer b.o.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.o.open--
	}
	return nil
}

func (o *fakeOrigin) set(path string, change func(*object)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o.objects[path])
}

// log is what was asked so far, in order.
func (o *fakeOrigin) log() []request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.requests)
}

// bodies is how many answers are being read.
func (o *fakeOrigin) bodies() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open
}

// underWay is how many transfers the file has.
func (f *file) underWay() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.transfers)
}

func (o *fakeOrigin) gets() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.requests)
}

// ranges are the Range headers sent so far, in order.
func (o *fakeOrigin) ranges() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, r := range o.requests {
		all = append(all, r.want)
	}
	return all
}

func (o *fakeOrigin) bytesServed() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.served
}

// fakeLender lends links of the fake origin, a new one when the last failed or
// was used up.
type fakeLender struct {
	mu              sync.Mutex // guards the following
	uses            int
	ranged          resolver.Ranged
	least           int64
	meter           resolver.Meter
	err             error         // in place of a lease
	hold            chan struct{} // Acquire waits for it
	leases          map[resolver.ID]*resolver.Lease
	calls           int // leases made
	borrowed, limit int // calls of Acquire, and how many are answered; 0 for all
	failed          map[resolver.Class]int
	ordinal         uint64
	demands         []*resolver.Demand // of the calls of Acquire, in order
	clocks          []time.Time        // that leases showed
}

func (l *fakeLender) Acquire(ctx context.Context, f resolver.File) (*resolver.Lease, error) {
	l.mu.Lock()
	hold := l.hold
	l.demands = append(l.demands, resolver.DemandOf(ctx))
	l.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	id := f.ID
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	if l.borrowed++; l.limit > 0 && l.borrowed > l.limit {
		return nil, fmt.Errorf("asked %d times: %w", l.borrowed, resolver.ErrThrottled)
	}
	if lease := l.leases[id]; lease != nil && lease.Live(time.Now()) {
		return lease, nil
	}
	l.calls++
	l.ordinal++
	link := resolver.Link{
		URLs: []resolver.Secret{resolver.NewSecret(fmt.Sprintf("https://origin.test/%s?generation=%d", id, l.ordinal))},
		Uses: l.uses, Ranged: l.ranged, Least: l.least, Meter: l.meter,
	}
	lease := resolver.NewLease(link, l.ordinal, time.Time{}, fakeHolder{l, id})
	l.leases[id] = lease
	return lease, nil
}

// fakeHolder forgets the lease of a file when it fails.
type fakeHolder struct {
	l  *fakeLender
	id resolver.ID
}

func (h fakeHolder) Fail(lease *resolver.Lease, c resolver.Class) {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	h.l.failed[c]++
	if h.l.leases[h.id] == lease {
		delete(h.l.leases, h.id)
	}
}

func (h fakeHolder) Clock(_ *resolver.Lease, origin time.Time) {
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	h.l.clocks = append(h.l.clocks, origin)
}

func (l *fakeLender) Peek(id resolver.ID) *resolver.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leases[id]
}

func (l *fakeLender) links() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

func (l *fakeLender) fails(c resolver.Class) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed[c]
}

// fakeLedger is a map.
type fakeLedger struct {
	mu       sync.Mutex // guards the following
	known    map[resolver.ID]resolver.Identity
	revision map[resolver.ID]int
}

func (l *fakeLedger) Get(id resolver.ID, _ string) (resolver.Identity, int, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	identity, ok := l.known[id]
	return identity, l.revision[id], ok
}

func (l *fakeLedger) Learn(id resolver.ID, _ string, identity resolver.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[id] = identity
}

func (l *fakeLedger) Change(id resolver.ID, _ string, identity resolver.Identity) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[id] != identity {
		l.known[id] = identity
		l.revision[id]++
	}
}

// rig is a Source over fakes and a real cache in memory.
type rig struct {
	t       *testing.T
	origin  *fakeOrigin
	lender  *fakeLender
	ledger  *fakeLedger
	store   *cache.Tiered
	streams *Streams
	source  *Source
}

// inBubble runs test with a rig in a bubble of fake time. When it is over,
// nothing may be left: no goroutine (the bubble sees to that), no page, no body.
func inBubble(t *testing.T, memory int64, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newRig(t, memory, DefaultConfig())) })
}

func newRig(t *testing.T, memory int64, cfg Config) *rig {
	t.Helper()
	store, err := cache.Open(cache.Config{Memory: memory})
	require.NoError(t, err)
	r := &rig{
		t:      t,
		origin: &fakeOrigin{objects: make(map[string]*object)},
		lender: &fakeLender{leases: make(map[resolver.ID]*resolver.Lease), failed: make(map[resolver.Class]int)},
		ledger: &fakeLedger{known: make(map[resolver.ID]resolver.Identity), revision: make(map[resolver.ID]int)},
		store:  store, streams: New(cfg, store, slog.New(slog.DiscardHandler)),
	}
	r.source = r.streams.Source(SourceConfig{Name: "test", Lender: r.lender, Ledger: r.ledger})
	r.source.origin.client.Transport = r.origin
	t.Cleanup(func() {
		assert.NoError(t, r.streams.Close())
		assert.Equal(t, store.Budget(), store.Free(), "pages that nobody gave back")
		assert.Zero(t, r.origin.bodies(), "bodies that nobody closed")
		assert.Empty(t, r.source.files, "files that nobody holds")
		assert.Zero(t, r.streams.readers, "readers that are counted though their handles are closed")
		assert.NoError(t, store.Close())
	})
	return r
}

// put makes a file, with an ETag, and returns it as a listing would.
func (r *rig) put(name string, size int64, change ...func(*object)) resolver.File {
	obj := &object{content: pattern{seed: byte(len(r.origin.objects)*17 + 1), size: size}, etag: `"` + name + `"`}
	for _, c := range change {
		c(obj)
	}
	r.origin.mu.Lock()
	defer r.origin.mu.Unlock()
	r.origin.objects["/"+name] = obj
	return resolver.File{ID: resolver.ID(name), Version: "1", Name: name, Size: size}
}

// open returns a handle that is closed with the test at the latest.
func (r *rig) open(f resolver.File) *Handle {
	r.t.Helper()
	h, err := r.source.Open(f)
	require.NoError(r.t, err)
	r.t.Cleanup(h.Close)
	return h
}

func (r *rig) contentOf(h *Handle) pattern {
	r.origin.mu.Lock()
	defer r.origin.mu.Unlock()
	return r.origin.objects["/"+string(h.file.entry.ID)].content
}

// read reads and compares. It may be called off the test's goroutine.
func (r *rig) read(h *Handle, off int64, n int) bool {
	r.t.Helper()
	want := r.contentOf(h)
	want.size = h.size
	return r.readContext(r.t.Context(), h, want, off, n)
}

func (r *rig) readContext(ctx context.Context, h *Handle, content pattern, off int64, n int) bool {
	r.t.Helper()
	got, err := bytesAt(ctx, h, off, n)
	return assert.NoError(r.t, err, "at %d", off) &&
		assert.True(r.t, bytes.Equal(content.bytes(off, n), got), "other bytes at %d", off)
}

func bytesAt(ctx context.Context, h *Handle, off int64, n int) ([]byte, error) {
	v, err := h.ReadAt(ctx, off, n)
	if err != nil {
		return nil, err
	}
	defer v.Done()
	got := bytes.Join(v.Slices(), nil)
	if len(got) != v.Size() {
		return nil, fmt.Errorf("view of %d bytes says %d", len(got), v.Size())
	}
	return got, nil
}

// readAll reads the file as the kernel does for cp, 128 KiB at a time.
func (r *rig) readAll(h *Handle) bool {
	r.t.Helper()
	for off := int64(0); off < h.size; off += 128 * kib {
		if !r.read(h, off, 128*kib) {
			return false
		}
	}
	return true
}
