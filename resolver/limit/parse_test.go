package limit

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"budgets":{"5f":{"period":"2026-11-22","used":9312},"60":{"period":"2026-11","used":1,"spent":true}}}`))
	f.Add([]byte(`{"budgets":{"5f":{"used":1099511627777}}}`))
	f.Add([]byte(`{"budgets":{"5f":null}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		counts, err := parse(text)
		if err != nil {
			assert.ErrorIs(t, err, errDamaged)
			return
		}
		for _, c := range counts {
			assert.Positive(t, c.plus(Count{c.Period, 1, false}).Used)
		}
		written, err := json.Marshal(contents{counts})
		require.NoError(t, err)
		again, err := parse(written)
		require.NoError(t, err)
		assert.Equal(t, counts, again)
	})
}
