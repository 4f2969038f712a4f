package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/attachfs/attachfs/cache"
)

const (
	// wholeFile is the size up to which a file is fetched by one GET, whatever
	// part was asked for: on a link with 20 ms and 50 MB/s it costs about as
	// much as four round trips.
	wholeFile = 4 << 20
	// sizing is how much is asked for to learn a size. It fills what file
	// managers and MIME sniffers read, and is all there is of small files.
	sizing = cache.PageSize
	// maxRange is the largest range of one request of a windowed reader. 4 MiB
	// requests reach 0.89 of one endless request on loopback (FUSE.md 2).
	maxRange = 8 << 20
)

// Config says how origins are read.
type Config struct {
	// Streams is how many ranges of one file are fetched in parallel at most.
	Streams int
	// Window is how far ahead of a sequential reader is fetched at most, in
	// bytes, for one handle.
	Window int64
	// Deadline is how long a transfer may go on without bringing a page.
	Deadline time.Duration
	// Stall is how long a transfer may stand still before it is cut and
	// resumed.
	Stall time.Duration
	// UserAgent is sent with every request.
	UserAgent string
}

// DefaultConfig returns what attachfs uses when nothing is configured.
func DefaultConfig() Config {
	return Config{
		Streams: 8, Window: 32 << 20,
		Deadline: time.Minute, Stall: 10 * time.Second,
		UserAgent: "attachfs",
	}
}

// Validate returns an error that names each field that is out of range.
func (c Config) Validate() error {
	var errs []error
	if c.Streams < 1 {
		errs = append(errs, fmt.Errorf("streams is %d, must be at least 1", c.Streams))
	}
	if c.Window < cache.BlockSize {
		errs = append(errs, fmt.Errorf("window is %d, must be at least one block (%d)", c.Window, cache.BlockSize))
	}
	if c.Stall <= 0 || c.Deadline < c.Stall {
		errs = append(errs, fmt.Errorf("stall is %v and deadline %v, must be 0 < stall <= deadline", c.Stall, c.Deadline))
	}
	return errors.Join(errs...)
}
