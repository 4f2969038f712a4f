package broker_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// A provider that has no answer for anybody is not asked for files one by one,
// neither meanwhile nor when it is back.
func TestOutage_FilesStayTogether(t *testing.T) {
	inGroup(t, 1000, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
		wait := opens(t.Context(), b, resolver.Stat, 1, ids...)
		time.Sleep(15 * time.Second)
		during := f.Calls(resolvertest.Resolve)
		assert.LessOrEqual(t, during, 100, "ten calls, eight times, and a few small ones")
		f.FailAll(resolvertest.Resolve, nil)
		assertLent(t, wait())
		assert.LessOrEqual(t, f.Calls(resolvertest.Resolve)-during, 20)
	})
}

func TestOutage_OneFailureSeparatesNobody(t *testing.T) {
	inGroup(t, 100, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		f.Fail(resolvertest.Resolve, 1, resolver.ErrUnavailable)
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
	})
}

// A file that makes the provider fail ends up alone, however many there are and
// whatever else went on.
func TestOutage_Poison(t *testing.T) {
	for name, c := range map[string]struct {
		poison []int
		outage time.Duration
		within time.Duration // the others are served, from its end on
	}{
		"one":                      {[]int{7}, 0, 1500 * ms},
		"three":                    {[]int{7, 42, 93}, 0, 5 * time.Second},
		"one, after an outage":     {[]int{7}, 5 * time.Second, 20 * time.Second},
		"another, after an outage": {[]int{99}, 5 * time.Second, 20 * time.Second},
		"two, after an outage":     {[]int{7, 93}, 5 * time.Second, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inGroup(t, 100, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
				b := newBroker(t, f)
				for _, i := range c.poison {
					f.Poison(ids[i], errors.New("status 500"))
				}
				f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
				wait := opens(t.Context(), b, resolver.Stat, 1, ids...)
				time.Sleep(c.outage)
				f.FailAll(resolvertest.Resolve, nil)
				time.Sleep(c.within)
				for i, id := range ids {
					assert.Equal(t, !slices.Contains(c.poison, i), b.Peek(id) != nil, id)
				}
				for i, r := range wait() {
					assert.Equal(t, slices.Contains(c.poison, i), r.err != nil)
				}
			})
		})
	}
}

// Who comes later does not ride with files that may be to blame.
func TestOutage_NewcomersRideApart(t *testing.T) {
	inGroup(t, 100, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		f.Poison(ids[0], errors.New("status 500"))
		first := opens(t.Context(), b, resolver.Stat, 1, ids[0])
		time.Sleep(101 * ms) // its siblings rode with it; it is about to be asked for again
		start := time.Now()
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids[1:50]...)())
		assert.LessOrEqual(t, time.Since(start), 10*ms)
		assert.Error(t, first()[0].err)
		for _, call := range f.Batches()[1:] {
			assert.True(t, len(call) == 1 || !slices.Contains(call, ids[0]), call)
		}
	})
}
