package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path"
	"sync"
	"time"
)

// noticed is the shortest wait that a person is told of.
const noticed = 50 * time.Millisecond

// narrator is a log for people: what the broker says of its links it tells in
// plain words, a line each. The rest goes to the handler behind it as it is.
type narrator struct {
	slog.Handler
	facts facts             // of the logger, which its records share
	names map[string]string // of files, by the last parts of their ids
	to    *sync.Mutex
	out   io.Writer // guarded by to
}

// newNarrator makes a narrator that calls files by names, or else by the last
// parts of their ids. It does not change names, which may be nil.
func newNarrator(out io.Writer, rest slog.Handler, names map[string]string) *narrator {
	return &narrator{Handler: rest, names: names, to: new(sync.Mutex), out: out}
}

// WithAttrs returns a handler whose records all have attrs.
func (n *narrator) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *n
	with.Handler = n.Handler.WithAttrs(attrs)
	with.facts = n.facts.with(attrs...)
	return &with
}

// WithGroup returns a handler that tells nothing in plain words: the broker has
// no groups.
func (n *narrator) WithGroup(name string) slog.Handler { return n.Handler.WithGroup(name) }

// Handle writes one record.
func (n *narrator) Handle(ctx context.Context, r slog.Record) error {
	f := n.facts.with()
	r.Attrs(func(a slog.Attr) bool {
		f[a.Key] = a.Value
		return true
	})
	if name, ok := n.names[path.Base(f.text("file"))]; ok {
		f["file"] = slog.StringValue(name)
	}
	words := f.tell(r.Message)
	if words == "" {
		return n.Handler.Handle(ctx, r)
	}
	n.to.Lock()
	defer n.to.Unlock()
	_, err := fmt.Fprintf(n.out, "%s: %s\n", cmp.Or(f.text("provider"), "attachfs"), words)
	return err
}

// facts are the attributes of a record, any of which may be missing.
type facts map[string]slog.Value

// with returns a copy that has attrs, too.
func (f facts) with(attrs ...slog.Attr) facts {
	all := maps.Clone(f)
	if all == nil {
		all = make(facts)
	}
	for _, a := range attrs {
		all[a.Key] = a.Value
	}
	return all
}

// tell says in words what message is about; nothing if it does not know it.
func (f facts) tell(message string) string {
	switch message {
	case "link wanted":
		return "needs a link for " + f.file()
	case "link call":
		return f.linkCall()
	case "link call refused, asking in parts":
		return fmt.Sprintf("all %d links were refused, asking for them in smaller calls: %s", f.count("files"), f.reason("error"))
	case "link lent":
		return f.linkLent()
	case "link refused":
		return "was refused a link for " + f.file()
	case "link failed":
		return f.linkFailed()
	case "no link now, asking again":
		return fmt.Sprintf("no link for %s now, asking again in %s: %s", f.file(), f.spoken("pause"), f.reason("error"))
	case "renewing a link ahead of its end":
		return fmt.Sprintf("the link of %s ends soon, renewing it before anybody has to wait", f.file())
	case "asked to wait":
		return fmt.Sprintf("the service asked to wait for %s", f.spoken("for"))
	}
	return ""
}

func (f facts) linkCall() string {
	files, siblings := f.count("files"), f.count("siblings")
	words := fmt.Sprintf("asked for %d links in one call", files)
	switch {
	case files == 0:
		words = "asked for links"
	case files == 1:
		words = "asked for one link"
	case siblings > 0:
		words += fmt.Sprintf(" (%d wanted, %d likely next)", files-siblings, siblings)
	}
	if f.duration("waited") >= noticed {
		words += fmt.Sprintf(", waited %s for its turn", f.spoken("waited"))
	}
	return words
}

func (f facts) linkLent() string {
	words := "borrowed a link for " + f.file()
	switch uses := f.count("uses"); {
	case uses == 1:
		words += ", good for one use"
	case uses > 1:
		words += fmt.Sprintf(", good for %d uses", uses)
	case f.duration("life") > 0:
		words += ", good for " + f.spoken("life")
	}
	return words
}

func (f facts) linkFailed() string {
	words := fmt.Sprintf("the link of %s does not serve: %s", f.file(), f.reason("class"))
	if f.duration("served") > 0 {
		words += ", after it had served for " + f.spoken("served")
	}
	return words
}

// file is the file's name, or the last part of its id.
func (f facts) file() string {
	if id := f.text("file"); id != "" {
		return fmt.Sprintf("%q", path.Base(id))
	}
	return "a file"
}

func (f facts) text(key string) string {
	if v, ok := f[key]; ok {
		return v.Resolve().String()
	}
	return ""
}

func (f facts) reason(key string) string { return cmp.Or(f.text(key), "for some reason") }

func (f facts) count(key string) int {
	if v := f[key]; v.Kind() == slog.KindInt64 {
		return int(v.Int64())
	}
	return 0
}

func (f facts) duration(key string) time.Duration {
	if v := f[key]; v.Kind() == slog.KindDuration {
		return v.Duration()
	}
	return 0
}

// spoken is a duration as a person says it.
func (f facts) spoken(key string) string {
	switch d := f.duration(key); {
	case d <= 0:
		return "a while"
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
}
