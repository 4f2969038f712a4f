package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

const (
	messages    = 10_000
	attachments = 3
	inMailbox   = messages * (1 + attachments) // entries
)

// mailbox is a provider of one folder of messages, made anew for each listing.
// An update brings as many new ones as it is.
type mailbox int

func (mailbox) List(context.Context, resolver.ID, string) (resolver.Page, error) {
	entries := make([]resolver.Entry, messages)
	for i := range entries {
		entries[i] = message(i)
	}
	return resolver.Page{Entries: entries, Mark: "10000"}, nil
}

func (m mailbox) Update(_ context.Context, _ resolver.ID, mark, _ string) (resolver.Page, error) {
	var number int
	if _, err := fmt.Sscan(mark, &number); err != nil {
		return resolver.Page{}, err
	}
	var page resolver.Page
	for range m {
		page.Entries = append(page.Entries, message(number))
		number++
	}
	page.Mark = fmt.Sprint(number)
	return page, nil
}

func (mailbox) Resolve(context.Context, []resolver.ID) ([]resolver.Answer, error) {
	return nil, errors.New("the catalog asks for no links")
}

func message(number int) resolver.Entry {
	when := time.Unix(int64(number), 0)
	e := resolver.Entry{
		ID: resolver.ID(fmt.Sprintf("message%030d", number)), Name: fmt.Sprintf("2026-10-01 1200 Invoice %d", number),
		Dir: true, ModTime: when, Children: make([]resolver.Entry, attachments),
	}
	for i := range e.Children {
		e.Children[i] = resolver.Entry{
			ID: e.ID + resolver.ID(fmt.Sprintf("/attachment%020d", i)), Name: fmt.Sprintf("invoice %d.pdf", i),
			Version: "1", Size: resolver.SizeUnknown, ModTime: when,
		}
	}
	return e
}

// mailboxOn returns a configuration with a state at path, that ends with the
// benchmark or before.
func mailboxOn(b *testing.B, path string) (set func(*catalog.Config), end func()) {
	b.Helper()
	state, err := catalog.OpenState(path, nil)
	require.NoError(b, err)
	b.Cleanup(func() { _ = state.Close() })
	return func(cfg *catalog.Config) {
		cfg.ListingTTL = time.Hour
		cfg.Listings = state.Listings("p")
	}, func() { require.NoError(b, state.Close()) }
}

// savedMailbox returns the path of a state with the mailbox.
func savedMailbox(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "state.db")
	set, end := mailboxOn(b, path)
	c, _, _ := newCatalog(b, mailbox(0), set)
	readdir(b, c)
	end()
	return path
}

// How long do 10,000 messages with their attachments take to be listed first?
func BenchmarkMailbox_Land(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		before := heap()
		c, _, _ := newCatalog(b, mailbox(0))
		b.StartTimer()
		readdir(b, c)
		b.StopTimer()
		b.ReportMetric(float64(heap()-before)/inMailbox, "B/entry")
		runtime.KeepAlive(c)
		b.StartTimer()
	}
}

// And to be listed and on disk?
func BenchmarkMailbox_Save(b *testing.B) {
	for b.Loop() {
		savedMailbox(b)
	}
}

// How long does it take to show the folder and look into one message after a
// start, and how long to look into all?
func BenchmarkMailbox_Load(b *testing.B) {
	path := savedMailbox(b)
	for name, most := range map[string]int{"one": 1, "all": messages} {
		b.Run(name, func(b *testing.B) {
			set, end := mailboxOn(b, path)
			defer end()
			for b.Loop() {
				c, _, _ := newCatalog(b, dead, set)
				l, err := c.Readdir(b.Context(), resolver.Root)
				require.NoError(b, err)
				for _, n := range l.Nodes[:most] {
					if _, err := c.Readdir(b.Context(), n.ID); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// How long does it take to start, to show the folder, and to have a refresh on
// disk that brings so much?
func BenchmarkMailbox_Renew(b *testing.B) {
	for name, refresh := range map[string]struct {
		fresh  mailbox
		expire bool
	}{"nothing new": {0, false}, "three new": {3, false}, "whole": {0, true}} {
		b.Run(name, func(b *testing.B) {
			path := savedMailbox(b)
			for b.Loop() {
				set, end := mailboxOn(b, path)
				c, _, _ := newCatalog(b, refresh.fresh, set, func(cfg *catalog.Config) { cfg.ListingTTL = time.Nanosecond })
				if refresh.expire {
					c.Expire()
				}
				readdir(b, c)
				require.NoError(b, c.Close())
				end()
			}
		})
	}
}
