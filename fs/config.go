package fs

import (
	"errors"
	"fmt"
	"time"
)

// Config says how the mount looks and what the kernel may remember.
type Config struct {
	// Source is shown in the mount table as what is mounted.
	Source string
	// AllowOther lets users other than the owner in.
	AllowOther bool
	// UID and GID own everything.
	UID, GID uint32
	// FileMode and DirMode are permission bits; the kernel checks them.
	FileMode, DirMode uint32
	// AttrTimeout, EntryTimeout and NegativeTimeout are how long the kernel
	// may remember attributes, names, and that a name does not exist.
	AttrTimeout, EntryTimeout, NegativeTimeout time.Duration
	// XAttrs shows user.attachfs.* on files.
	XAttrs bool
	// Deadline bounds each request, everything included.
	Deadline time.Duration
	// Debug logs every request of the kernel.
	Debug bool
}

// DefaultConfig returns what attachfs uses when nothing is configured.
func DefaultConfig() Config {
	return Config{
		Source:   "attachfs",
		FileMode: 0o444, DirMode: 0o555,
		AttrTimeout: time.Minute, EntryTimeout: time.Minute, NegativeTimeout: 5 * time.Second,
		Deadline: time.Minute,
	}
}

// Validate returns an error that names each field that is out of range.
func (c Config) Validate() error {
	var errs []error
	if c.FileMode&^0o777 != 0 || c.DirMode&^0o777 != 0 {
		errs = append(errs, errors.New("file_mode and dir_mode are permission bits, at most 0777"))
	}
	if c.AttrTimeout < 0 || c.EntryTimeout < 0 || c.NegativeTimeout < 0 {
		errs = append(errs, errors.New("attr_timeout, entry_timeout and negative_timeout cannot be negative"))
	}
	if c.Deadline <= 0 {
		errs = append(errs, fmt.Errorf("deadline is %v, must be positive", c.Deadline))
	}
	return errors.Join(errs...)
}
