package expiry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/expiry"
)

// origin is a host whose API says that links live for an hour.
type origin struct {
	book expiry.Book
	life time.Duration // real
}

// read reads every pause over one file's links for that many renewals, as the
// broker has it read: no link after its deadline. It returns which of the links
// died early.
func (o *origin) read(renewals int, pause time.Duration) (deaths []int) {
	for i := range renewals {
		made := time.Now()
		l := resolver.Link{URLs: link("https://h/k").URLs, Expires: made.Add(time.Hour), Obtained: made, ServerTime: made}
		deadline, _ := o.book.Deadline(l)
		var served time.Duration
		for died := false; !died && time.Now().Before(deadline); time.Sleep(pause) {
			if age := time.Since(made); age < o.life {
				served = max(1, age)
				continue
			}
			deaths = append(deaths, i)
			o.book.Died(l, time.Since(made), served)
			died = true
		}
		o.book.Outlived(l, served)
	}
	return deaths
}

// lent is for how long a new link is lent.
func (o *origin) lent() time.Duration {
	return remaining(&o.book, resolver.Link{URLs: link("https://h/k").URLs, Expires: time.Now().Add(time.Hour)})
}

func TestLearnt_LinksOfOneSecondUnderAnHour(t *testing.T) {
	for _, pause := range []time.Duration{10 * time.Millisecond, 70 * time.Millisecond, 300 * time.Millisecond} {
		t.Run(pause.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := origin{life: time.Second}
				deaths := o.read(5000, pause)
				t.Log("links that failed:", deaths)
				require.NotEmpty(t, deaths)
				assert.Less(t, len(deaths), 40)
				assert.Less(t, count(deaths, 0, 100), 8)
				assert.Less(t, count(deaths, 4000, 5000), 8)
			})
		})
	}
}

func count(deaths []int, from, to int) (n int) {
	for _, i := range deaths {
		if from <= i && i < to {
			n++
		}
	}
	return n
}

// die has two links die, one after the other.
func die(b *expiry.Book, age, served time.Duration) {
	b.Died(link("https://h/k"), age, served)
	time.Sleep(age + time.Second)
	b.Died(link("https://h/k"), age, served)
}

func TestLearnt_SecondDeathCounts(t *testing.T) {
	for name, c := range map[string]struct{ age, served, lent time.Duration }{
		"served until shortly before":  {10 * time.Second, 9500 * time.Millisecond, 8550 * time.Millisecond},
		"not used for long":            {10 * time.Second, time.Second, 7200 * time.Millisecond},
		"never served":                 {10 * time.Second, 0, 7200 * time.Millisecond},
		"never served, as old as that": {time.Second, 0, 720 * time.Millisecond},
		"came dead":                    {900 * time.Millisecond, 0, time.Hour - 30*time.Second},
		"at once":                      {499 * time.Millisecond, time.Millisecond, time.Hour - 30*time.Second},
		"minutes":                      {20 * time.Minute, 20 * time.Minute, 20*time.Minute - 30*time.Second},
		"later than told":              {2 * time.Hour, 2 * time.Hour, time.Hour - 30*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var o origin
				o.book.Died(link("https://h/k"), c.age, c.served)
				assert.Equal(t, time.Hour-30*time.Second, o.lent(), "one may have been revoked")
				time.Sleep(c.age + time.Second)
				o.book.Died(link("https://h/k"), c.age, c.served)
				assert.Equal(t, c.lent, o.lent())
			})
		})
	}
}

// A link that lives on takes the suspicion away that an odd death left.
func TestLearnt_OddDeathsFarApartTeachNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var o origin
		for range 5 {
			o.book.Died(link("https://h/k"), 5*time.Second, 4*time.Second)
			time.Sleep(time.Minute)
			o.book.Outlived(link("https://h/k"), 50*time.Minute)
			assert.Equal(t, time.Hour-30*time.Second, o.lent())
		}
	})
}

func TestLearnt_LimitsLinksThatTellNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var b expiry.Book
		l := link("https://h/k")
		die(&b, time.Minute, time.Minute)
		deadline, source := b.Deadline(l)
		assert.Equal(t, 54*time.Second, time.Until(deadline))
		assert.Equal(t, "learnt", source)
		assert.Equal(t, time.Duration(-1), remaining(&b, link("https://other/k")))
	})
}

// Two links were revoked after five seconds; all others live.
func TestLearnt_RecoversFromOddDeaths(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := origin{life: 2 * time.Hour}
		die(&o.book, 5*time.Second, 4*time.Second)
		assert.Less(t, o.lent(), 5*time.Second)
		begin := time.Now()
		renewals := 0
		for ; o.lent() < 10*time.Minute; renewals++ {
			require.Empty(t, o.read(1, 100*time.Millisecond))
			require.Less(t, renewals, 40)
		}
		assert.Less(t, time.Since(begin), time.Hour)
		for ; o.lent() < 59*time.Minute; renewals++ {
			require.Empty(t, o.read(1, time.Second))
			require.Less(t, renewals, 50)
		}
		t.Log(renewals, "links until the limit was gone, after", time.Since(begin))
	})
}

func TestLearnt_RecoversWhereNobodyReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var o origin
		die(&o.book, 5*time.Second, 4*time.Second)
		time.Sleep(9 * time.Minute)
		assert.Equal(t, 3600*time.Millisecond, o.lent())
		time.Sleep(3 * time.Hour)
		assert.Equal(t, time.Hour-30*time.Second, o.lent())
	})
}

func TestLearnt_OneThatLivesOnIsEvidence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var o origin
		l := link("https://h/k")
		die(&o.book, 5*time.Second, 4*time.Second)
		o.book.Outlived(l, time.Second)
		assert.Equal(t, 3600*time.Millisecond, o.lent(), "it says nothing of the fourth second")
		o.book.Outlived(l, 30*time.Minute)
		assert.Equal(t, 30*time.Minute-30*time.Second, o.lent())
	})
}

// All links of a host are revoked in one blow, whatever their age.
func TestLearnt_ManyDeathsAtOnceAreOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var o origin
		time.Sleep(time.Hour)
		for i := range 60 {
			age := time.Duration(60-i) * time.Minute
			o.book.Died(link(fmt.Sprintf("https://h/%d", i)), age, age-time.Second)
			time.Sleep(time.Millisecond)
		}
		assert.Equal(t, time.Hour-30*time.Second, o.lent())
		time.Sleep(time.Hour)
		die(&o.book, 2*time.Second, time.Second)
		assert.Less(t, o.lent(), 3*time.Second, "links that were not there then")
	})
}
