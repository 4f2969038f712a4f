package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// helperName is the name under which mount(8) finds this program.
const helperName = "mount.attachfs"

// isMountHelper reports whether the program was called by mount(8); argv0 is
// the first word of its command line.
func isMountHelper(argv0 string) bool { return filepath.Base(argv0) == helperName }

// helperCall is a command line of mount(8) for its helper.
type helperCall struct {
	Config     string
	Mountpoint string
	// Fake asks for everything but the mount.
	Fake      bool
	Overrides mountOverrides
}

// mountOverrides are the options of a mount that go before the configuration;
// nil where there is none.
type mountOverrides struct {
	AllowOther        *bool
	UID, GID          *uint32
	FileMode, DirMode *Mode
}

// apply puts the overrides into c.
func (o mountOverrides) apply(c *MountConfig) {
	override(&c.AllowOther, o.AllowOther)
	override(&c.UID, o.UID)
	override(&c.GID, o.GID)
	override(&c.FileMode, o.FileMode)
	override(&c.DirMode, o.DirMode)
}

func override[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// parseHelper reads the arguments after mount.attachfs:
//
//	CONFIG MOUNTPOINT [-sfnv] [-N namespace] [-o options] [-t type]
func parseHelper(args []string) (helperCall, error) {
	p := helperParser{rest: args}
	if err := p.parse(); err != nil {
		return helperCall{}, err
	}
	if len(p.places) != 2 {
		return helperCall{}, fmt.Errorf("%s wants a configuration file and a mount point; found %q", helperName, p.places)
	}
	p.call.Config, p.call.Mountpoint = p.places[0], p.places[1]
	return p.call, p.call.Overrides.parse(p.options, p.sloppy)
}

type helperParser struct {
	rest    []string // not read yet
	call    helperCall
	places  []string
	options []string
	sloppy  bool
}

func (p *helperParser) parse() error {
	for len(p.rest) > 0 {
		arg := p.rest[0]
		p.rest = p.rest[1:]
		switch {
		case arg == "--":
			p.places = append(p.places, p.rest...)
			return nil
		case len(arg) > 1 && arg[0] == '-':
			if err := p.flags(arg[1:]); err != nil {
				return err
			}
		default:
			p.places = append(p.places, arg)
		}
	}
	return nil
}

// flags reads letters that stood behind one dash; after one that wants a
// value, the others are the value.
func (p *helperParser) flags(letters string) error {
	for i, flag := range letters {
		switch flag {
		case 's':
			p.sloppy = true
		case 'f':
			p.call.Fake = true
		case 'n', 'v':
		case 'o', 't', 'N':
			return p.value(flag, letters[i+1:])
		default:
			return fmt.Errorf("%s does not know the flag -%c", helperName, flag)
		}
	}
	return nil
}

func (p *helperParser) value(flag rune, value string) error {
	if value == "" {
		if len(p.rest) == 0 {
			return fmt.Errorf("the flag -%c of %s wants a value", flag, helperName)
		}
		value, p.rest = p.rest[0], p.rest[1:]
	}
	switch flag {
	case 'o':
		p.options = append(p.options, strings.Split(value, ",")...)
	case 'N':
		return errors.New("mounting into another namespace is not supported: run mount inside it with nsenter")
	}
	return nil
}

// ignored are options that a read-only FUSE mount obeys anyway, or that are
// meant for mount(8) and systemd.
var ignored = []string{
	"", "ro", "defaults", "auto", "noauto", "user", "users", "nouser", "owner", "group", "nofail", "_netdev",
	"nosuid", "nodev", "noexec", "suid", "dev", "exec", "atime", "noatime", "relatime", "norelatime",
	"strictatime", "nostrictatime", "diratime", "nodiratime", "lazytime", "nolazytime", "async", "silent", "loud",
}

func (o *mountOverrides) parse(options []string, sloppy bool) error {
	var errs []error
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		var err error
		switch {
		case slices.Contains(ignored, option), name == "comment", strings.HasPrefix(name, "x-"), strings.HasPrefix(name, "X-"):
		case option == "rw":
			err = errors.New("attachfs is read-only: mount it with -o ro (mount itself adds rw where ro is missing)")
		case option == "allow_other":
			yes := true
			o.AllowOther = &yes
		case name == "uid":
			o.UID, err = parseOwner(value)
		case name == "gid":
			o.GID, err = parseOwner(value)
		case name == "file_mode":
			o.FileMode, err = parseMode(value)
		case name == "dir_mode":
			o.DirMode, err = parseMode(value)
		case !sloppy:
			err = fmt.Errorf("unknown; %s", nearest(name, []string{"ro", "allow_other", "uid", "gid", "file_mode", "dir_mode"}))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("mount option %s: %w", option, err))
		}
	}
	return errors.Join(errs...)
}

func parseOwner(text string) (*uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 1<<32-1 {
		return nil, errors.New("want a number, such as 1000")
	}
	id := uint32(n)
	return &id, nil
}

func parseMode(text string) (*Mode, error) {
	var mode Mode
	if err := mode.UnmarshalText([]byte(text)); err != nil {
		return nil, errors.New("want octal permissions, such as 0444")
	}
	return &mode, nil
}
