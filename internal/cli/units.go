package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. As text it is a whole number with or without a
// unit: 4096, 512KiB, 10GiB, 10GB.
type Size int64

var sizeUnits = map[string]Size{
	"": 1, "b": 1,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
}

var sizeText = regexp.MustCompile(`^([0-9]+) ?([a-zA-Z]*)$`)

var errSize = errors.New(`want a whole number of bytes, or one with a unit from KiB to TiB or KB to TB, such as "512KiB" or "10GiB"`)

// UnmarshalText reads a size; the case of the unit does not matter.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizeText.FindStringSubmatch(string(text))
	if m == nil {
		return errSize
	}
	unit, ok := sizeUnits[strings.ToLower(m[2])]
	if !ok {
		return errSize
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || Size(n) > math.MaxInt64/unit {
		return errors.New("want a size below 8 EiB")
	}
	*s = Size(n) * unit
	return nil
}

// String returns the size in the largest binary unit that tells it exactly.
func (s Size) String() string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if n := sizeUnits[strings.ToLower(unit)]; s != 0 && s%n == 0 {
			return fmt.Sprintf("%d%s", s/n, unit)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Duration is a length of time, never negative. As text it is Go's, with days
// in front where wanted: 10s, 1h30m, 90d, 1d12h.
type Duration time.Duration

const day = 24 * time.Hour

var errDuration = errors.New(`want a length of time with its units (ms, s, m, h, d), such as "10s", "1h30m" or "90d"`)

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	rest := string(text)
	var days time.Duration
	if front, back, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.ParseUint(front, 10, 32)
		if err != nil {
			return errDuration
		}
		if n > uint64(math.MaxInt64/day) {
			return errors.New(`want at most "106751d"`)
		}
		days, rest = time.Duration(n)*day, back
		if rest == "" {
			rest = "0"
		}
	}
	clock, err := time.ParseDuration(rest)
	if err != nil || clock < 0 || clock > math.MaxInt64-days {
		return errDuration
	}
	*d = Duration(days + clock)
	return nil
}

// String returns the duration without parts that are zero: 5m, 1d12h.
func (d Duration) String() string {
	clock := time.Duration(d)
	if clock == 0 {
		return "0s"
	}
	text := ""
	if clock >= day {
		text = fmt.Sprintf("%dd", clock/day)
		clock %= day
	}
	if clock == 0 {
		return text
	}
	short := clock.String()
	if strings.HasSuffix(short, "m0s") {
		short = strings.TrimSuffix(short, "0s")
	}
	if strings.HasSuffix(short, "h0m") {
		short = strings.TrimSuffix(short, "0m")
	}
	return text + short
}

// Mode is the permissions of a file or directory. As text it is octal: 0444.
type Mode uint32

var errMode = errors.New(`want octal permissions in quotes, such as "0444"`)

// UnmarshalText reads octal permissions.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > uint64(fs.ModePerm) {
		return errMode
	}
	*m = Mode(n)
	return nil
}

// String returns the permissions with four octal digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }
