package verdict_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver/verdict"
)

func TestRetryAfter(t *testing.T) {
	const date, later = "Wed, 01 Jan 2025 00:00:00 GMT", "Wed, 01 Jan 2025 00:02:00 GMT"
	for name, c := range map[string]struct {
		pairs []string
		want  time.Duration
	}{
		"none":                     {nil, 0},
		"seconds":                  {[]string{"Retry-After", "120"}, 2 * time.Minute},
		"fractions":                {[]string{"Retry-After", "1.5"}, 1500 * time.Millisecond},
		"spaces":                   {[]string{"Retry-After", " 7 "}, 7 * time.Second},
		"a date":                   {[]string{"Retry-After", later, "Date", date}, 2 * time.Minute},
		"a date that is past":      {[]string{"Retry-After", date, "Date", later}, 0},
		"zero":                     {[]string{"Retry-After", "0"}, 0},
		"below zero":               {[]string{"Retry-After", "-5"}, 0},
		"words":                    {[]string{"Retry-After", "soon"}, 0},
		"not a number":             {[]string{"Retry-After", "NaN"}, 0},
		"for ever":                 {[]string{"Retry-After", "Inf"}, time.Hour},
		"years":                    {[]string{"Retry-After", "99999999999999999999"}, time.Hour},
		"a date in years":          {[]string{"Retry-After", "Wed, 01 Jan 2225 00:00:00 GMT", "Date", date}, time.Hour},
		"milliseconds":             {[]string{"x-ms-retry-after-ms", "250"}, 250 * time.Millisecond},
		"Feishu":                   {[]string{"x-ogw-ratelimit-reset", "3"}, 3 * time.Second},
		"Feishu first":             {[]string{"x-ogw-ratelimit-reset", "3", "Retry-After", "9"}, 3 * time.Second},
		"Feishu without a word":    {[]string{"x-ogw-ratelimit-reset", "0", "Retry-After", "9"}, 9 * time.Second},
		"reset in seconds":         {[]string{"x-ratelimit-reset", "30"}, 30 * time.Second},
		"reset at a Unix time":     {[]string{"x-ratelimit-reset", "1735689660", "Date", date}, time.Minute},
		"reset in milliseconds":    {[]string{"x-ratelimit-reset", "1735689660000", "Date", date}, time.Minute},
		"reset that is past":       {[]string{"x-ratelimit-reset", "1735689600", "Date", later}, 0},
		"reset while some is left": {[]string{"x-ratelimit-reset", "30", "x-ratelimit-remaining", "5"}, 0},
		"reset with nothing left":  {[]string{"x-rate-limit-reset", "30", "x-rate-limit-remaining", "0"}, 30 * time.Second},
		"the draft":                {[]string{"RateLimit-Reset", "12"}, 12 * time.Second},
		"reset after":              {[]string{"X-RateLimit-Reset-After", "0.5"}, 500 * time.Millisecond},
		"tiny":                     {[]string{"Retry-After", "1e-12"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			for i := 0; i < len(c.pairs); i += 2 {
				h.Set(c.pairs[i], c.pairs[i+1])
			}
			assert.Equal(t, c.want, verdict.RetryAfter(h))
		})
	}
	assert.Zero(t, verdict.RetryAfter(nil))
}

func TestRetryAfter_DateByOurClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.Header{"Retry-After": {time.Now().UTC().Add(time.Minute).Format(http.TimeFormat)}}
		assert.Equal(t, time.Minute, verdict.RetryAfter(h))
	})
}
