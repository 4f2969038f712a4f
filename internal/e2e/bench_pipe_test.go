package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	pipeRange   = 4 << 20
	pipeAhead   = 8 // ranges, those in work included
	pipeStreams = 4
)

// barePipe is the least that can stream a file from HTTP through go-fuse: ranges
// of 4 MiB on four connections, eight at a time in memory, answered without a
// copy. It knows neither links nor errors, seeks badly and keeps nothing: what is
// lost against it is what attachfs costs.
type barePipe struct {
	fusefs.Inode
	url     string
	size    int64
	client  *http.Client
	streams chan struct{}

	mu     sync.Mutex // guards the following
	ranges map[int64]*pipeChunk
	free   [][]byte
}

// pipeChunk is one range, there or on its way.
type pipeChunk struct {
	buf  []byte
	here chan struct{} // closed when buf or err is set
	err  error
}

func newPipes(urls []string) ([]*barePipe, error) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
	var pipes []*barePipe
	for _, url := range urls {
		p := &barePipe{url: url, client: client, streams: make(chan struct{}, pipeStreams), ranges: make(map[int64]*pipeChunk)}
		resp, err := p.get(0, 0)
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes 0-0/%d", &p.size); err != nil {
			return nil, err
		}
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		pipes = append(pipes, p)
	}
	return pipes, nil
}

func (p *barePipe) get(first, last int64) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", first, last))
	return p.client.Do(req)
}

var _ = (fusefs.NodeGetattrer)((*barePipe)(nil))

func (p *barePipe) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size, out.Nlink = 0o444, uint64(p.size), 1
	return 0
}

var _ = (fusefs.NodeOpener)((*barePipe)(nil))

func (p *barePipe) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

var _ = (fusefs.NodeReader)((*barePipe)(nil))

func (p *barePipe) Read(_ context.Context, _ fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	limit := min(off+int64(len(dest)), p.size)
	if off >= limit {
		return fuse.ReadResultData(nil), 0
	}
	first, last := off/pipeRange, (limit-1)/pipeRange
	var filled int
	for i := first; i <= last; i++ {
		c := p.chunk(i)
		<-c.here
		if c.err != nil {
			return nil, syscall.EIO
		}
		part := c.buf[max(0, off-i*pipeRange):min(int64(len(c.buf)), limit-i*pipeRange)]
		if first == last {
			return fuse.ReadResultData(part), 0
		}
		filled += copy(dest[filled:], part)
	}
	return fuse.ReadResultData(dest[:filled]), 0
}

// chunk returns the range, and has those behind it fetched. What is four ranges
// behind is used again: the kernel is through with it.
func (p *barePipe) chunk(i int64) *pipeChunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	for j, c := range p.ranges {
		if j < i-pipeAhead/2 {
			delete(p.ranges, j)
			p.free = append(p.free, c.buf[:pipeRange])
		}
	}
	for j := i; j < i+pipeAhead && j*pipeRange < p.size; j++ {
		if p.ranges[j] != nil {
			continue
		}
		c := &pipeChunk{here: make(chan struct{})}
		if last := len(p.free) - 1; last >= 0 {
			c.buf, p.free = p.free[last], p.free[:last]
		} else {
			c.buf = make([]byte, pipeRange)
		}
		p.ranges[j] = c
		go p.fill(c, j)
	}
	return p.ranges[i]
}

func (p *barePipe) fill(c *pipeChunk, i int64) {
	defer close(c.here)
	p.streams <- struct{}{}
	defer func() { <-p.streams }()
	c.buf = c.buf[:min(pipeRange, p.size-i*pipeRange)]
	resp, err := p.get(i*pipeRange, i*pipeRange+int64(len(c.buf))-1)
	if err != nil {
		c.err = err
		return
	}
	defer func() { _ = resp.Body.Close() }()
	_, c.err = io.ReadFull(resp.Body, c.buf)
}
