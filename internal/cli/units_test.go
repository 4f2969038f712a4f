package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSize(t *testing.T) {
	for _, tc := range []struct {
		text  string
		want  Size
		shown string
	}{
		{"0", 0, "0"},
		{"1", 1, "1"},
		{"4096", 4096, "4KiB"},
		{"512KiB", 512 << 10, "512KiB"},
		{"1536 KiB", 1536 << 10, "1536KiB"},
		{"10GiB", 10 << 30, "10GiB"},
		{"1024GiB", 1 << 40, "1TiB"},
		{"10gb", 10e9, "9765625KiB"},
		{"3MB", 3e6, "3000000"},
		{"7B", 7, "7"},
		{"9223372036854775807", 1<<63 - 1, "9223372036854775807"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			var got, again Size
			require.NoError(t, got.UnmarshalText([]byte(tc.text)))
			assert.Equal(t, tc.want, got)
			assert.Equal(t, tc.shown, got.String())
			require.NoError(t, again.UnmarshalText([]byte(got.String())))
			assert.Equal(t, got, again)
		})
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "10G", "10 parsecs", "8388608TiB", "9223372036854775808", "1\n"} {
		t.Run("refused "+text, func(t *testing.T) {
			assert.Error(t, new(Size).UnmarshalText([]byte(text)))
		})
	}
}

func TestDuration(t *testing.T) {
	for _, tc := range []struct {
		text  string
		want  time.Duration
		shown string
	}{
		{"0", 0, "0s"},
		{"0d", 0, "0s"},
		{"150ms", 150 * time.Millisecond, "150ms"},
		{"10s", 10 * time.Second, "10s"},
		{"60s", time.Minute, "1m"},
		{"90s", 90 * time.Second, "1m30s"},
		{"120m", 2 * time.Hour, "2h"},
		{"10h10m10s", 10*time.Hour + 10*time.Minute + 10*time.Second, "10h10m10s"},
		{"1h10s", time.Hour + 10*time.Second, "1h0m10s"},
		{"90d", 90 * day, "90d"},
		{"1d12h", 36 * time.Hour, "1d12h"},
		{"36h30m", 36*time.Hour + 30*time.Minute, "1d12h30m"},
		{"106751d", 106751 * day, "106751d"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			var got, again Duration
			require.NoError(t, got.UnmarshalText([]byte(tc.text)))
			assert.Equal(t, tc.want, time.Duration(got))
			assert.Equal(t, tc.shown, got.String())
			require.NoError(t, again.UnmarshalText([]byte(got.String())))
			assert.Equal(t, got, again)
		})
	}
	for _, text := range []string{"", "10", "d", "-1d", "-5s", "1d-2h", "1dd", "1h1d", "1.5d", "106752d", "106751d24h", "5 minutes"} {
		t.Run("refused "+text, func(t *testing.T) {
			assert.Error(t, new(Duration).UnmarshalText([]byte(text)))
		})
	}
}

func TestMode(t *testing.T) {
	for text, want := range map[string]Mode{"0444": 0o444, "555": 0o555, "0": 0, "0777": 0o777} {
		var got, again Mode
		require.NoError(t, got.UnmarshalText([]byte(text)))
		assert.Equal(t, want, got, text)
		require.NoError(t, again.UnmarshalText([]byte(got.String())))
		assert.Equal(t, got, again, text)
	}
	assert.Equal(t, "0044", Mode(0o44).String())
	for _, text := range []string{"", "0888", "1777", "rw-r--r--", "-1", "0o444"} {
		assert.Error(t, new(Mode).UnmarshalText([]byte(text)), text)
	}
}
