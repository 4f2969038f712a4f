package linksim

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// chunk is how much is read and written at a time; larger gains nothing on
// loopback.
const chunk = 512 << 10

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// lengthUntold is the length of a body that is sent chunked.
const lengthUntold = -1

// ending is what follows the first bytes of a body.
type ending int

const (
	whole   ending = iota // the rest of it
	hangUp                // the connection is closed
	reset                 // the connection is reset
	stall                 // nothing, until somebody leaves
	trickle               // the rest, byte by byte
)

// reply is an answer before it is sent: what faults change.
type reply struct {
	status  int
	header  http.Header
	content Content
	span              // what the body holds of content
	body    io.Reader // instead of content's span, if not nil
	length  int64     // as announced
	refused bool      // the connection is closed without an answer

	delay  time.Duration // before the first byte
	rate   int64         // bytes a second; 0 is no limit
	ending ending
	after  int64         // bytes that come before an ending
	pause  time.Duration // between bytes that trickle
}

func textReply(status int, contentType, text string) *reply {
	content := Bytes([]byte(text))
	return &reply{
		status: status, header: http.Header{"Content-Type": {contentType}},
		content: content, span: span{0, content.Size()}, length: content.Size(),
	}
}

func xmlReply(status int, code, message string) *reply {
	return textReply(status, "application/xml", fmt.Sprintf(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>%s</Code>\n  <Message>%s</Message>\n</Error>\n", code, message))
}

func jsonReply(status int, v any) *reply {
	text, err := json.Marshal(v)
	if err != nil {
		return xmlReply(http.StatusInternalServerError, "InternalError", err.Error())
	}
	return textReply(status, "application/json", string(text)+"\n")
}

func (p *reply) setContentRange(s span, total string) {
	p.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", s.start, s.limit-1, total))
}

func (o *Origin) serveObject(w http.ResponseWriter, r *http.Request, elsewhere bool) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	key, _, _ := strings.Cut(rest, "/")
	o.mu.Lock()
	id := o.addressed[key]
	o.mu.Unlock()
	x := o.tally.begin(r, id, elsewhere)
	p, served := o.answer(r, id, kind == "d")
	if served && !elsewhere {
		if f, ok := o.objectFaults.next(id, p.status == http.StatusPartialContent); ok {
			f.play(p, r, o.elsewhereURL(id))
		}
	}
	p.send(w, r, x)
}

// answer is what the origin says to r without faults, and whether it gets as
// far as the object.
func (o *Origin) answer(r *http.Request, id string, signed bool) (p *reply, served bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return xmlReply(http.StatusMethodNotAllowed, "MethodNotAllowed", "Objects are for reading."), false
	}
	var l *link
	if signed {
		if l, p = o.present(r, id); p != nil {
			return p, false
		}
	}
	o.mu.Lock()
	obj, b := o.objects[id], o.behaviour
	o.mu.Unlock()
	if obj == nil {
		return xmlReply(http.StatusNotFound, "NoSuchKey", "The object does not exist."), false
	}
	if obj.Behaviour != (Behaviour{}) {
		b = obj.Behaviour
	}
	return b.answer(r, obj, l), true
}

func (o *Origin) elsewhereURL(id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Elsewhere() + "/f/" + o.address(id)
}

// send answers r and tells x what was sent.
func (p *reply) send(w http.ResponseWriter, r *http.Request, x *exchange) {
	if !sleep(r.Context(), p.delay) {
		return
	}
	if p.refused {
		disconnect(w, false)
		return
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	if p.length != lengthUntold {
		w.Header().Set("Content-Length", strconv.FormatInt(p.length, 10))
	}
	x.status.Store(int64(p.status))
	w.WriteHeader(p.status)
	if r.Method == http.MethodHead {
		return
	}
	flush := http.NewResponseController(w).Flush
	if p.length == lengthUntold && flush() != nil {
		return
	}
	body := p.body
	if body == nil {
		body = io.NewSectionReader(p.content, p.start, p.span.length())
	}
	pipe := &pipe{ctx: r.Context(), from: body, to: w, x: x, rate: p.rate, began: time.Now()}
	if p.ending == whole || p.length != lengthUntold && p.after >= p.length {
		_ = pipe.copy(math.MaxInt64)
		return
	}
	if pipe.copy(p.after) == nil && flush() == nil {
		p.end(w, r, pipe, flush)
	}
}

// end does what follows the first bytes of a body that is not sent as a whole.
func (p *reply) end(w http.ResponseWriter, r *http.Request, pipe *pipe, flush func() error) {
	switch p.ending {
	case hangUp:
		disconnect(w, false)
	case reset:
		disconnect(w, true)
	case stall:
		<-r.Context().Done()
	case trickle:
		for sleep(r.Context(), p.pause) {
			if pipe.copy(1) != nil || flush() != nil {
				return
			}
		}
	}
}

// pipe sends a body at a limited speed and counts it.
type pipe struct {
	ctx   context.Context
	from  io.Reader
	to    io.Writer
	x     *exchange
	rate  int64
	began time.Time
	sent  int64
}

// copy sends n more bytes, or fewer where the body ends; that is io.EOF.
// Bytes are counted before they are sent, so that who has received them finds
// them counted.
func (c *pipe) copy(n int64) error {
	buf := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buf)
	for n > 0 {
		got, readErr := c.from.Read(buf[:min(n, c.step())])
		c.sent += int64(got)
		n -= int64(got)
		if !c.wait() {
			return c.ctx.Err()
		}
		c.x.sent(got)
		if wrote, err := c.to.Write(buf[:got]); err != nil {
			c.x.sent(wrote - got)
			return err
		}
		if readErr != nil {
			return readErr
		}
	}
	return nil
}

// step is how much to send at a time: at a limited speed, what takes some
// 10 ms.
func (c *pipe) step() int64 {
	if c.rate <= 0 {
		return chunk
	}
	return max(1, min(chunk, c.rate/100))
}

// wait returns when what is sent by then is not above the speed.
func (c *pipe) wait() bool {
	if c.rate <= 0 {
		return true
	}
	due := time.Duration(float64(c.sent) / float64(c.rate) * float64(time.Second))
	return sleep(c.ctx, time.Until(c.began.Add(due)))
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// disconnect closes the connection of w. A reset takes with it what the client
// has not received yet.
func disconnect(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if reset {
		if secure, ok := conn.(*tls.Conn); ok {
			conn = secure.NetConn()
		}
		if plain, ok := conn.(*net.TCPConn); ok {
			_ = plain.SetLinger(0)
		}
	}
	_ = conn.Close()
}

// padded reads content, and zeros where it ends.
type padded struct{ Content }

func (p padded) ReadAt(buf []byte, off int64) (int, error) {
	n, err := p.Content.ReadAt(buf, off)
	if err == io.EOF {
		clear(buf[n:])
		return len(buf), nil
	}
	return n, err
}

// beside is text before and behind a body.
func beside(before string, body io.Reader, behind string) io.Reader {
	return io.MultiReader(bytes.NewReader([]byte(before)), body, bytes.NewReader([]byte(behind)))
}
