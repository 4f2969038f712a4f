package linksim

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWindow_NeverLetsInMore(t *testing.T) {
	const per = time.Second
	random := rand.New(rand.NewPCG(1, 2))
	for _, calls := range []int{1, 3, 20} {
		w := &window{calls: calls, per: per}
		now := time.Now()
		var taken []time.Time
		for range 5000 {
			now = now.Add(time.Duration(random.Int64N(int64(per) / int64(calls))))
			wait := w.admit(now)
			if wait == 0 {
				taken = append(taken, now)
				continue
			}
			early := *w
			require.Positive(t, early.admit(now.Add(wait-1)), "told to wait too long")
		}
		for i := range len(taken) - calls {
			require.GreaterOrEqual(t, taken[i+calls].Sub(taken[i]), per)
		}
		assert.Greater(t, len(taken), 1000)
	}
}

func TestWindow_LetsInAtItsEnd(t *testing.T) {
	w := &window{calls: 1, per: time.Second}
	now := time.Now()
	require.Zero(t, w.admit(now))
	assert.Equal(t, time.Millisecond, w.admit(now.Add(999*time.Millisecond)))
	assert.Zero(t, w.admit(now.Add(time.Second)))
}
