package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// Config says how much is remembered and where. Amounts are bytes.
type Config struct {
	// Memory is the budget for all pages in memory.
	Memory int64
	// Disk is the limit of the disk tier; 0 for none.
	Disk int64
	// Dir is the directory of the disk tier.
	Dir string
	// MinFree is what the disk tier leaves free on its file system.
	MinFree int64
	// Log is told of defects; nil for slog.Default.
	Log *slog.Logger
}

// DefaultConfig returns the configuration of a program that is told nothing.
// Dir is empty if the user has no cache directory.
func DefaultConfig() Config {
	c := Config{Memory: 256 << 20, Disk: 10 << 30, MinFree: 1 << 30}
	if dir, err := os.UserCacheDir(); err == nil {
		c.Dir = filepath.Join(dir, "attachfs")
	}
	return c
}

// Validate returns what is wrong with the configuration, by the keys of the
// configuration file.
func (c Config) Validate() error {
	switch {
	case c.Memory < BlockSize:
		return fmt.Errorf("memory is %d bytes, the least is %d", c.Memory, BlockSize)
	case c.Disk < 0:
		return errors.New("disk is negative")
	case c.MinFree < 0:
		return errors.New("min_free is negative")
	case c.Disk > 0 && c.Dir == "":
		return errors.New("dir is missing")
	}
	return nil
}
