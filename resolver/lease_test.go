package resolver_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func link() resolver.Link {
	return resolver.Link{
		URLs: []resolver.Secret{
			resolver.NewSecret("https://user:" + text + "@cdn.example.com:8443/" + text + "/a.pdf?sign=" + text + "#" + text),
			resolver.NewSecret("https://mirror.example.com/a.pdf?sign=" + text),
		},
		Header:  map[string]resolver.Secret{"Authorization": resolver.NewSecret("Bearer " + text)},
		Expires: time.Unix(1_700_000_000, 0), Uses: 2, Ranged: resolver.RangedYes, Size: 42,
	}
}

func TestLink_CannotBePrinted(t *testing.T) {
	l := link()
	lease := resolver.NewLease(l, 7, time.Unix(1_700_000_000, 0), &listener{})
	answer := resolver.Answer{Link: l}
	for _, v := range []any{
		l, &l, []resolver.Link{l}, map[string]resolver.Link{"x": l}, struct{ l resolver.Link }{l},
		l.URLs, l.Header, answer, &answer, []resolver.Answer{answer},
		lease, []*resolver.Lease{lease}, struct{ lease *resolver.Lease }{lease}, struct{ Lease *resolver.Lease }{lease},
	} {
		t.Run(fmt.Sprintf("%T", v), func(t *testing.T) { assertHidden(t, v, text) })
	}
}

func TestLink_String(t *testing.T) {
	l := link()
	assert.Regexp(t, `^link [0-9a-f]{8} at cdn\.example\.com:8443$`, l.String())
	assert.Equal(t, l.String(), link().String())
	assert.Equal(t, l.String(), l.LogValue().String())
	other := link()
	other.URLs[1] = resolver.NewSecret("https://mirror.example.com/a.pdf?sign=other")
	assert.NotEqual(t, l.String(), other.String(), "links can be told apart")
}

func TestLink_Host(t *testing.T) {
	for url, host := range map[string]string{
		"https://cdn.example.com/a?b":    "cdn.example.com",
		"https://user:pass@host:1/a":     "host:1",
		"https://[2001:db8::1]:8443/":    "[2001:db8::1]:8443",
		"/no/host?sign=" + text:          "",
		"https://" + text + "\x7f/":      "(unparsable)",
		"http://h/%zz?sign=" + text:      "(unparsable)",
		"https://user:" + text + "@ bad": "(unparsable)",
	} {
		l := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret(url)}}
		assert.Equal(t, host, l.Host(), url)
		assertHidden(t, l, text)
	}
	assert.Empty(t, resolver.Link{}.Host())
	assert.NotPanics(t, func() { _ = resolver.Link{}.String() })
}

func TestLease_String(t *testing.T) {
	lease := resolver.NewLease(link(), 7, time.Time{}, nil)
	assert.Equal(t, link().String()+", generation 7", lease.String())
	assert.Equal(t, lease.String(), fmt.Sprint(lease))
	assert.Equal(t, lease.String(), lease.LogValue().String())
}

func TestLease_Use(t *testing.T) {
	for _, uses := range []int{1, 2, 1000} {
		t.Run(fmt.Sprint(uses), func(t *testing.T) {
			l := link()
			l.Uses = uses
			lease := resolver.NewLease(l, 1, time.Time{}, nil)
			var sent atomic.Int64
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for range 50 {
						if lease.Use() {
							sent.Add(1)
						}
						left := lease.UsesLeft()
						assert.True(t, left >= 0 && left <= uses, "%d left of %d", left, uses)
					}
				})
			}
			wg.Wait()
			assert.EqualValues(t, uses, sent.Load())
			assert.Zero(t, lease.UsesLeft())
			assert.False(t, lease.Use())
			assert.False(t, lease.Live(time.Now()))
			assert.Equal(t, uses, lease.Link().Uses, "the link is as it was given")
		})
	}
}

func TestLease_NotCounted(t *testing.T) {
	l := link()
	l.Uses = 0
	lease := resolver.NewLease(l, 1, time.Time{}, nil)
	assert.False(t, lease.Counted())
	for range 100 {
		assert.True(t, lease.Use())
	}
	assert.True(t, lease.Live(time.Now()))
}

func TestLease_Live(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name     string
		deadline time.Time
		uses     int
		taken    int
		live     bool
	}{
		{"for ever", time.Time{}, 0, 0, true},
		{"before the deadline", now.Add(1), 0, 0, true},
		{"at the deadline", now, 0, 0, false},
		{"after the deadline", now.Add(-1), 0, 0, false},
		{"one use left", time.Time{}, 2, 1, true},
		{"no use left", time.Time{}, 2, 2, false},
		{"uses left, too late", now.Add(-1), 2, 0, false},
		{"in time, no use left", now.Add(1), 1, 1, false},
		{"asked too often", time.Time{}, 1, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := link()
			l.Uses = c.uses
			lease := resolver.NewLease(l, 1, c.deadline, nil)
			for range c.taken {
				lease.Use()
			}
			assert.Equal(t, c.live, lease.Live(now))
			assert.Equal(t, c.deadline, lease.Deadline())
			assert.Equal(t, c.uses > 0, lease.Counted())
		})
	}
}

func TestLease_ServeAndFail(t *testing.T) {
	heard := &listener{}
	lease := resolver.NewLease(link(), 9, time.Time{}, heard)
	assert.EqualValues(t, 9, lease.Generation())
	assert.False(t, lease.HasServed())
	lease.Serve()
	assert.True(t, lease.HasServed())
	lease.Fail(resolver.Denied)
	lease.Fail(resolver.Gone)
	lease.Clock(time.Unix(1_700_000_000, 0))
	lease.Clock(time.Time{})
	assert.Equal(t, []resolver.Class{resolver.Denied, resolver.Gone}, heard.failed)
	assert.Equal(t, []time.Time{time.Unix(1_700_000_000, 0)}, heard.clocks, "a time that was not told is none")
	assert.NotPanics(t, func() {
		alone := resolver.NewLease(link(), 1, time.Time{}, nil)
		alone.Fail(resolver.Wrong)
		alone.Clock(time.Unix(1_700_000_000, 0))
	})
}

// listener holds leases and remembers what it is told.
type listener struct {
	failed []resolver.Class
	clocks []time.Time
}

func (h *listener) Fail(_ *resolver.Lease, c resolver.Class) { h.failed = append(h.failed, c) }

func (h *listener) Clock(_ *resolver.Lease, origin time.Time) { h.clocks = append(h.clocks, origin) }

func TestLease_Served(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := resolver.NewLease(link(), 1, time.Time{}, nil)
		time.Sleep(time.Second)
		assert.Zero(t, lease.Served())
		lease.Serve()
		time.Sleep(time.Second)
		assert.Equal(t, time.Second, lease.Served())
		assert.Equal(t, 2*time.Second, lease.Age())
	})
}

func TestClass_Blames(t *testing.T) {
	for _, c := range []resolver.Class{resolver.Expired, resolver.UsedUp, resolver.Denied, resolver.Gone, resolver.Wrong} {
		assert.True(t, c.Blames(), c)
	}
	for _, c := range []resolver.Class{0, resolver.Throttled, resolver.Temporary} {
		assert.False(t, c.Blames(), c)
	}
}

func TestClass_String(t *testing.T) {
	seen := make(map[string]bool)
	for c := resolver.Expired; c <= resolver.Temporary; c++ {
		assert.NotContains(t, c.String(), "class", "%d has no name", c)
		assert.False(t, seen[c.String()], c)
		seen[c.String()] = true
	}
	assert.Equal(t, "class 0", resolver.Class(0).String())
	assert.Equal(t, "class 8", resolver.Class(8).String())
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{resolver.ErrPermission, true},
		{resolver.ErrUnsupported, true},
		{resolver.ErrNotExist, false},
		{resolver.ErrThrottled, false},
		{resolver.ErrQuota, false},
		{resolver.ErrChanged, false},
		{resolver.ErrUnavailable, false},
		{errors.New("permission denied by the provider"), false},
		{fmt.Errorf("lease: %w", fmt.Errorf("a.pdf: %w", resolver.ErrPermission)), true},
		{errors.Join(resolver.ErrUnavailable, resolver.ErrUnsupported), true},
		{fmt.Errorf("%w (%v)", resolver.ErrUnavailable, resolver.ErrPermission), false},
	} {
		assert.Equal(t, c.want, resolver.Refused(c.err), "%v", c.err)
	}
}
