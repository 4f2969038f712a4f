package limit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestTally_Settle(t *testing.T) {
	for _, c := range []struct {
		name       string
		unsaved    Count
		saved, sum Count
		left       Count
		used       int
	}{
		{"all of it", Count{"d", 3, true}, Count{"d", 3, true}, Count{"d", 8, true}, Count{"d", 0, false}, 100},
		{"counted meanwhile", Count{"d", 5, false}, Count{"d", 3, false}, Count{"d", 8, false}, Count{"d", 2, false}, 10},
		{"spent meanwhile", Count{"d", 3, true}, Count{"d", 3, false}, Count{"d", 8, false}, Count{"d", 0, true}, 100},
		{"another day meanwhile", Count{"d", 1, false}, Count{"c", 3, false}, Count{"c", 8, false}, Count{"d", 1, false}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			tally := tally{Budget: Budget{Calls: 100}, stored: Count{Period: "d"}, unsaved: c.unsaved}
			tally.settle(c.saved, c.sum)
			assert.Equal(t, c.left, tally.unsaved)
			assert.Equal(t, c.used, tally.used())
		})
	}
}

// Of two buckets that saw the last call of a budget, one is late.
func TestLedger_TakeLooksAgain(t *testing.T) {
	l := New(nil, nil).ledger
	tallies := l.open([]Budget{{Key: "roomy", Calls: 9}, {Key: "tight", Calls: 1}})
	spent, err := l.take(tallies, time.Now(), resolver.Read)
	require.NoError(t, err)
	assert.True(t, spent)
	_, err = l.take(tallies, time.Now(), resolver.Read)
	require.ErrorIs(t, err, resolver.ErrQuota)
	assert.Equal(t, 1, tallies[0].used(), "all or none")
}

func TestTally_ClockSetBack(t *testing.T) {
	wrong := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	tally := tally{Budget: Budget{Calls: 1}}
	tally.roll(wrong)
	tally.unsaved.Used = 1
	assert.True(t, tally.spent())
	tally.roll(wrong.AddDate(-70, 0, 0))
	assert.False(t, tally.spent(), "spent for seventy years")
}
