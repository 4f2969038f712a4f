package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// line is a network between us and a host.
type line struct {
	trip    time.Duration
	each    float64 // bytes a second of a connection
	all     float64 // bytes a second of all together
	streams int     // that are found worth it, of 8
}

// took is how long a range takes with so many others under way.
func (l line) took(bytes int64, n int) time.Duration {
	return l.trip + time.Duration(float64(bytes)/min(l.each, l.all/float64(n))*float64(time.Second))
}

// fetch fetches n ranges at a time.
func (l line) fetch(p *pace, n int, bytes int64) {
	ends := make([]func(int64), n)
	for i := range ends {
		ends[i] = p.begin()
	}
	time.Sleep(l.took(bytes, n))
	for _, end := range ends {
		end(bytes)
	}
}

func TestPace_FindsTheNumberOfStreams(t *testing.T) {
	for name, l := range map[string]line{
		"one connection has it all":    {trip: time.Millisecond, each: 1e9, all: 1e9, streams: 2},
		"a limit for each connection":  {trip: 20 * time.Millisecond, each: 50e6, all: 1e9, streams: 8},
		"far away":                     {trip: 80 * time.Millisecond, each: 1e9, all: 1e9, streams: 8},
		"a limit for four connections": {trip: time.Millisecond, each: 50e6, all: 200e6, streams: 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := new(pace)
				assert.Equal(t, fewStreams, p.streams(8), "nothing is known")
				for range 20 {
					for range 4 {
						l.fetch(p, p.streams(8), 2*mib)
					}
				}
				// One more is tried from time to time; what counts is most of the time.
				count := make(map[int]int)
				for range 20 {
					n := p.streams(8)
					count[n]++
					l.fetch(p, n, 2*mib)
				}
				assert.Greater(t, count[l.streams], 15, "%v", count)
			})
		})
	}
}

// What was found holds for a while, and is found anew when the line is another.
func TestPace_Forgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pace)
		slow := line{trip: time.Millisecond, each: 100e6, all: 100e6}
		for range 20 {
			slow.fetch(p, p.streams(8), 2*mib)
		}
		assert.Equal(t, 2, p.streams(8))
		time.Sleep(paceAge)
		wide := line{trip: time.Millisecond, each: 100e6, all: 800e6}
		for range 20 {
			wide.fetch(p, p.streams(8), 2*mib)
		}
		assert.Equal(t, 8, p.streams(8))
	})
}

// Neither short ranges nor a configured limit are exceeded or counted.
func TestPace_Limits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pace)
		for range 20 {
			line{trip: time.Millisecond, each: 50e6, all: 1e9}.fetch(p, p.streams(8), 64*kib)
		}
		assert.Equal(t, fewStreams, p.streams(8), "a page tells nothing")
		assert.Equal(t, 1, p.streams(1))
		for range 20 {
			line{trip: time.Millisecond, each: 50e6, all: 1e9}.fetch(p, p.streams(5), 2*mib)
		}
		assert.Equal(t, 5, p.streams(5))
		assert.Equal(t, 64, p.streams(64)+56, "no more than was tried")
	})
}
