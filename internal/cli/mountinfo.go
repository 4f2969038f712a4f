package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errNoAnswer = errors.New("no answer")

// bounded runs f and gives up on it after d with errNoAnswer. The goroutine
// then stays behind: a call that is stuck in the kernel cannot be called off.
func bounded[T any](d time.Duration, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timeout.C:
		var none T
		return none, errNoAnswer
	}
}

// mounted is one line of /proc/self/mountinfo.
type mounted struct {
	Path    string // where
	Type    string // of the file system, such as fuse.attachfs
	Source  string
	Options []string // of the file system, not of this mount of it
}

func (m mounted) fuse() bool {
	return m.Type == "fuse" || m.Type == "fuseblk" || strings.HasPrefix(m.Type, "fuse.")
}

// mine reports whether this process may unmount m.
func (m mounted) mine() bool {
	return os.Geteuid() == 0 || slices.Contains(m.Options, "user_id="+strconv.Itoa(os.Geteuid()))
}

// mounts returns what is mounted, in the order of mounting.
func mounts() ([]mounted, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	defer f.Close()
	return parseMounts(f)
}

func parseMounts(r io.Reader) ([]mounted, error) {
	var all []mounted
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// id parent device root path options [tags] - type source options
		place, system, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(place), strings.Fields(system)
		if !ok || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("list the mounts: unexpected line %q", lines.Text())
		}
		m := mounted{Path: unescape(left[4]), Type: right[0], Source: unescape(right[1])}
		if len(right) > 2 {
			m.Options = strings.Split(right[2], ",")
		}
		all = append(all, m)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	return all, nil
}

// unescape undoes the kernel's \ooo for blanks and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountAt returns the topmost mount at exactly path.
func mountAt(path string) (top mounted, ok bool, err error) {
	all, err := mounts()
	for _, m := range all {
		if m.Path == path {
			top, ok = m, true
		}
	}
	return top, ok, err
}
