package expiry_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/expiry"
)

// bubble runs the test at a time at which links can be made; synctest begins
// in the year 2000.
func bubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)))
		test(t)
	})
}

// amz is a link that was signed at start.
func amz(start time.Time, life time.Duration) string {
	return fmt.Sprintf("https://h/k?X-Amz-Date=%s&X-Amz-Expires=%d", start.UTC().Format("20060102T150405Z"), int(life.Seconds()))
}

func ends(end time.Time) string { return fmt.Sprintf("https://h/k?Expires=%d", end.Unix()) }

// remaining is how long the book lends the link from now on; -1 is for ever.
func remaining(b *expiry.Book, l resolver.Link) time.Duration {
	deadline, _ := b.Deadline(l)
	if deadline.IsZero() {
		return -1
	}
	return time.Until(deadline)
}

func TestBook_Deadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		now := time.Now()
		in := now.Add
		for _, c := range []struct {
			name   string
			link   resolver.Link
			want   time.Duration
			source string
		}{
			{"nothing told", link("https://h/k"), -1, "none"},
			{"no address", resolver.Link{}, -1, "none"},
			{"API", resolver.Link{Expires: in(time.Hour)}, time.Hour - 30*time.Second, "API"},
			{"short", resolver.Link{Expires: in(time.Second)}, 900 * time.Millisecond, "API"},
			{"documents", resolver.Link{Lifetime: 10 * time.Minute}, 10*time.Minute - 30*time.Second, "documented"},
			{"documents, obtained before", resolver.Link{Lifetime: 10 * time.Minute, Obtained: in(-4 * time.Minute)}, 6*time.Minute - 30*time.Second, "documented"},
			{"documents, over", resolver.Link{Lifetime: time.Minute, Obtained: in(-time.Hour)}, 0, "documented"},
			{"obtained later, by a clock that was set back", resolver.Link{Lifetime: 10 * time.Minute, Obtained: in(time.Hour)}, 10*time.Minute - 30*time.Second, "documented"},
			{"URL", link(ends(in(time.Hour))), time.Hour - 30*time.Second, "URL"},
			{"API before URL", resolver.Link{URLs: link(ends(in(time.Hour))).URLs, Expires: in(time.Minute)}, 54 * time.Second, "API"},
			{"URL before API", resolver.Link{URLs: link(ends(in(time.Minute))).URLs, Expires: in(time.Hour)}, 54 * time.Second, "URL"},
			{"documents before both", resolver.Link{URLs: link(ends(in(time.Minute))).URLs, Expires: in(time.Hour), Lifetime: 10 * time.Second}, 9 * time.Second, "documented"},
			{"nonsense of the API", resolver.Link{Expires: time.Unix(0, 0), ServerTime: now}, -1, "none"},
			{"centuries", resolver.Link{Lifetime: 1 << 62}, 1<<62 - 30*time.Second, "documented"},
			{"signing time that looks like an end", resolver.Link{URLs: link(fmt.Sprintf("https://h/k?sign=fake&t=%d", now.Unix()+2)).URLs, ServerTime: now}, -1, "none"},
			{"an end of the same name", resolver.Link{URLs: link(fmt.Sprintf("https://h/k?sign=fake&t=%x", in(time.Hour).Unix())).URLs, ServerTime: now}, time.Hour - 30*time.Second, "URL"},
			{"seconds only", link("https://h/k?x-oss-expires=900"), 870 * time.Second, "URL"},
		} {
			var b expiry.Book
			_, source := b.Deadline(c.link)
			assert.Equal(t, c.want, remaining(&b, c.link), c.name)
			assert.Equal(t, c.source, source, c.name)
		}
	})
}

// Our clock is ten minutes off either way; by the server's clock each link
// lives for fifteen minutes.
func TestBook_ClockTenMinutesOff(t *testing.T) {
	const life, lent = 15 * time.Minute, 15*time.Minute - 30*time.Second
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute, -24 * time.Hour, 24 * time.Hour, 0} {
		t.Run(off.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				now := time.Now()
				server := now.Add(off)
				end := server.Add(life)
				b, told := new(expiry.Book), new(expiry.Book)
				told.Clock(link("https://h/other"), server)

				assert.Equal(t, lent, remaining(b, resolver.Link{Expires: end, ServerTime: server}), "API, server time told")
				assert.Equal(t, lent, remaining(b, resolver.Link{URLs: link(ends(end)).URLs, ServerTime: server}), "URL, server time told")
				assert.Equal(t, lent, remaining(told, link(ends(end))), "URL, host's clock heard")
				assert.Equal(t, lent, remaining(told, resolver.Link{URLs: link("https://H/k").URLs, Expires: end}), "API, host's clock heard")
				assert.Equal(t, lent, remaining(b, link(amz(server, life))), "URL that tells its start")
				assert.Equal(t, lent, remaining(told, link(amz(server, life))), "the same, host's clock heard")
				assert.Equal(t, lent, remaining(b, resolver.Link{Lifetime: life}), "documents")
				if off+life <= 0 {
					assert.Equal(t, time.Duration(-1), remaining(b, link(ends(end))), "past by our clock, no other known")
				}
			})
		})
	}
}

func TestBook_ObtainedBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b expiry.Book
		obtained := time.Now()
		server := obtained.Add(10 * time.Minute)
		plain := link(ends(server.Add(time.Hour)))
		plain.Obtained = obtained
		dated := plain
		dated.ServerTime = server
		time.Sleep(20 * time.Minute)
		b.Clock(plain, server.Add(20*time.Minute))
		assert.Equal(t, 40*time.Minute-30*time.Second, remaining(&b, plain))
		assert.Equal(t, 40*time.Minute-30*time.Second, remaining(&b, dated))
		time.Sleep(20 * time.Minute)
		assert.Equal(t, 20*time.Minute-30*time.Second, remaining(&b, plain), "the host's clock goes on")
	})
}

func TestBook_DeadOnArrival(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b expiry.Book
		past := time.Now().Add(-time.Minute)
		assert.Equal(t, time.Duration(-1), remaining(&b, link(ends(past))), "by another clock")
		assert.Zero(t, remaining(&b, resolver.Link{URLs: link(ends(past)).URLs, ServerTime: time.Now()}))
		b.Clock(link("https://h/k"), time.Now())
		assert.Zero(t, remaining(&b, link(ends(past))))
	})
}

func TestBook_ClockIsAMedianOfTheNewest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b expiry.Book
		h := link("https://h/k")
		lent := func() time.Duration { return remaining(&b, link(ends(time.Now().Add(time.Hour)))) + 30*time.Second }
		hear := func(offsets ...time.Duration) {
			for _, off := range offsets {
				b.Clock(h, time.Now().Add(off))
			}
		}
		hear(-time.Second, time.Second+999*time.Millisecond)
		assert.Equal(t, time.Hour, lent(), "whole seconds are no difference")
		hear(-24*time.Hour, 0, 0)
		assert.Equal(t, time.Hour, lent(), "one reply from a cache")
		hear(10*time.Minute, 10*time.Minute, 10*time.Minute)
		assert.Equal(t, 50*time.Minute, lent(), "the clock was set")
		assert.Equal(t, time.Hour, remaining(&b, link("https://other/k?Expires="+ends(time.Now().Add(time.Hour))[len("https://h/k?Expires="):]))+30*time.Second, "hosts are told apart")
		hear(-30*365*24*time.Hour, -30*365*24*time.Hour, -30*365*24*time.Hour)
		assert.Equal(t, 50*time.Minute, lent(), "a clock that was never set says nothing")
	})
}

func TestBook_InParallel(t *testing.T) {
	var b expiry.Book
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 100 {
				l := link(fmt.Sprintf("https://h%d/k?Expires=%d", (i*j)%400, time.Now().Add(time.Hour).Unix()))
				b.Clock(l, time.Now())
				b.Died(l, time.Minute, time.Second)
				b.Outlived(l, time.Minute)
				b.Deadline(l)
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, b.Hosts(), 256)
}
