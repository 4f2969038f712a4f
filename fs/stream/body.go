package stream

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// take reads the body page by page, each published when it is complete. What
// there is of the last one is kept for the next attempt.
func (t *transfer) take(watch *watchdog, body io.Reader) error {
	for {
		length, err := t.next(watch)
		if err != nil || length == 0 {
			return err
		}
		due := time.Now().Add(t.f.src.cfg.Deadline)
		n, err := t.fillPage(watch, body, length, due)
		switch {
		case n == length:
			if err := t.publish(); err != nil {
				return err
			}
		case err == io.EOF && t.unsized:
			return t.finish()
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return &failure{err: fmt.Errorf("origin ended the body early: %w", resolver.ErrUnavailable)}
		case isFailure(err):
			return err
		default:
			return asFailure(watch.ctx, err)
		}
	}
}

// next returns the length of the page to read, 0 when all is here.
func (t *transfer) next(watch *watchdog) (int, error) {
	if err := t.keepClose(watch); err != nil {
		return 0, err
	}
	f := t.f
	f.mu.Lock()
	length, surplus := cache.PageSize, t.unsized && f.size != unknown && t.pos > f.size
	if t.limit != unknown {
		length = int(min(cache.PageSize, t.limit-t.pos))
	}
	f.mu.Unlock()
	if surplus {
		return 0, wrong("more bytes than the %d of the file", f.size)
	}
	if length > 0 && t.page == nil {
		t.page, t.fill = f.src.cache.NewPage(), 0
	}
	return length, nil
}

// fillPage reads until the page is full, and returns how full it is.
func (t *transfer) fillPage(watch *watchdog, body io.Reader, length int, due time.Time) (int, error) {
	for t.fill < length {
		n, err := body.Read(t.page.Buf()[t.fill:length])
		t.fill += n
		if n > 0 {
			watch.kick()
		}
		if t.fill == length {
			break
		}
		if err != nil {
			return t.fill, err
		}
		if time.Now().After(due) {
			return t.fill, &failure{err: fmt.Errorf("no page within %v: %w", t.f.src.cfg.Deadline, resolver.ErrUnavailable)}
		}
	}
	return t.fill, nil
}

// publish gives the page to the cache and to those who wait for it.
func (t *transfer) publish() error {
	f, page := t.f, t.page
	page.SetLen(t.fill)
	f.mu.Lock()
	object, p := f.object, t.pos/cache.PageSize
	f.mu.Unlock()
	if t.unsized {
		object = t.temp
	} else if err := f.verify(object, p, page); err != nil {
		return err
	}
	f.src.cache.Put(object, p, page)
	// A page before this one may have come in between, and not have found it.
	if err := f.verify(object, identityPage, nil); err != nil {
		return err
	}
	f.mu.Lock()
	t.pos += int64(t.fill)
	if !t.unsized {
		f.arriveLocked(p, page, nil)
	}
	f.mu.Unlock()
	t.dropPage()
	return nil
}

func (t *transfer) dropPage() {
	if t.page != nil {
		t.page.Release()
		t.page, t.fill = nil, 0
	}
}

// finish ends a reply without length: now that its length is known, its pages
// become those of the file, if it is the file.
func (t *transfer) finish() error {
	if t.fill > 0 {
		if err := t.publish(); err != nil {
			return err
		}
	}
	f := t.f
	f.mu.Lock()
	length, size := t.pos, f.size
	f.mu.Unlock()
	if size != unknown && length != size {
		return wrong("%d bytes where the file has %d", length, size)
	}
	seen := t.seen
	seen.Size = length
	if err := f.pin(seen); err != nil {
		return err
	}
	f.src.cache.Adopt(t.temp, f.object)
	return f.verify(f.object, identityPage, nil)
}

// startOver forgets what a reply without length brought: it cannot be gone on
// with, because nobody knows of what it is a part.
func (t *transfer) startOver() {
	t.f.src.cache.Drop(t.temp)
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	t.unsized = false
	t.restartLocked(byteRange{0, t.f.size})
}

// keepClose lets a spool that is larger than what the cache can remember run
// ahead of its readers only so far that they still find the bytes there: a
// quarter, because what they have read takes as much, and other files their
// share. It ends the transfer when there are no readers left.
func (t *transfer) keepClose(watch *watchdog) error {
	f := t.f
	for {
		f.mu.Lock()
		room := f.src.cache.Capacity()
		if !t.spool || t.unsized || f.size <= room || t.pos <= t.reached+room/4 || t.wantedLocked() {
			f.mu.Unlock()
			return nil
		}
		if f.holders == 0 {
			f.mu.Unlock()
			return errAbandoned
		}
		if f.moved == nil {
			f.moved = make(chan struct{})
		}
		moved := f.moved
		f.mu.Unlock()
		watch.pause()
		select {
		case <-moved:
		case <-watch.ctx.Done():
			return asFailure(watch.ctx, context.Cause(watch.ctx))
		}
		watch.kick()
	}
}
