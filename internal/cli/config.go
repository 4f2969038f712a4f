package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/fs"
	"github.com/attachfs/attachfs/fs/stream"
	"github.com/attachfs/attachfs/resolver/catalog"
)

// Config is what the configuration file says, checked and with defaults filled
// in. Paths in it are absolute.
type Config struct {
	Mount     MountConfig
	Cache     CacheConfig
	Read      ReadConfig
	Log       LogConfig
	Status    StatusConfig
	Providers []ProviderConfig
	// Path is the file it came from.
	Path string
	// Warnings are worth telling the user and do not stop the mount.
	Warnings []string
}

// MountConfig is how the tree looks to the kernel and its users.
type MountConfig struct {
	AllowOther      bool     `toml:"allow_other"`
	UID             uint32   `toml:"uid"`
	GID             uint32   `toml:"gid"`
	FileMode        Mode     `toml:"file_mode"`
	DirMode         Mode     `toml:"dir_mode"`
	ListingTTL      Duration `toml:"listing_ttl"`
	AttrTimeout     Duration `toml:"attr_timeout"`
	EntryTimeout    Duration `toml:"entry_timeout"`
	NegativeTimeout Duration `toml:"negative_timeout"`
	Xattrs          bool     `toml:"xattrs"`
}

// CacheConfig is what may be remembered, and where.
type CacheConfig struct {
	Memory  Size   `toml:"memory"`
	Disk    Size   `toml:"disk"` // 0 for no disk tier
	Dir     string `toml:"dir"`
	MinFree Size   `toml:"min_free"`
}

// ReadConfig bounds what one open file asks of its origin.
type ReadConfig struct {
	Streams  int      `toml:"streams"`
	Window   Size     `toml:"window"`
	Deadline Duration `toml:"deadline"`
	Stall    Duration `toml:"stall"`
}

// LogConfig is the level (debug, info, warn, error) and format (text, json) of
// the log.
type LogConfig struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// StatusConfig is where metrics and health are served; nowhere when empty.
type StatusConfig struct {
	Listen string `toml:"listen"`
}

// ProviderConfig is one directory under the mount point. Options is a pointer
// to the Config of the package that Type names.
type ProviderConfig struct {
	Name          string   `toml:"name"`
	Type          string   `toml:"type"`
	BaseURL       string   `toml:"base_url"`
	InsecureHosts []string `toml:"insecure_hosts"`
	Options       any      `toml:"-"`
}

// DefaultConfig returns the configuration of an empty file: what the packages
// have as their defaults, no provider, and a cache directory that still begins
// with ~.
func DefaultConfig() *Config {
	tree, names, store, reading := fs.DefaultConfig(), catalog.DefaultConfig(), cache.DefaultConfig(), stream.DefaultConfig()
	return &Config{
		Mount: MountConfig{
			UID:             uint32(os.Getuid()),
			GID:             uint32(os.Getgid()),
			FileMode:        Mode(tree.FileMode),
			DirMode:         Mode(tree.DirMode),
			ListingTTL:      Duration(names.ListingTTL),
			AttrTimeout:     Duration(tree.AttrTimeout),
			EntryTimeout:    Duration(tree.EntryTimeout),
			NegativeTimeout: Duration(tree.NegativeTimeout),
		},
		Cache: CacheConfig{Memory: Size(store.Memory), Disk: Size(store.Disk), Dir: "~/.cache/attachfs", MinFree: Size(store.MinFree)},
		Read: ReadConfig{
			Streams: reading.Streams, Window: Size(reading.Window),
			Deadline: Duration(reading.Deadline), Stall: Duration(reading.Stall),
		},
		Log: LogConfig{Level: "info", Format: "text"},
	}
}

// DefaultConfigPath is where the configuration is when no path is given.
func DefaultConfigPath(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "attachfs", "config.toml"), nil
	}
	home, err := homeDir(getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".config", "attachfs", "config.toml"), nil
}

// LoadConfig reads and checks the file at path, or at DefaultConfigPath when
// path is empty. Its error is of the kind ErrConfig and joins everything that
// is wrong, in the order of lines.
func LoadConfig(path string, getenv func(string) string) (*Config, error) {
	if path == "" {
		var err error
		if path, err = DefaultConfigPath(getenv); err != nil {
			return nil, &problem{file: "config.toml", err: err}
		}
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &problem{file: path, err: errors.New("there is no such file; config.toml.example shows how to write one")}
	}
	if err != nil {
		return nil, &problem{file: path, err: fmt.Errorf("read the configuration: %w", errors.Unwrap(err))}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, &problem{file: path, err: err}
	}
	tree := map[string]any{}
	if _, err := toml.Decode(string(text), &tree); err != nil {
		return nil, syntaxProblem(path, err)
	}
	d := &decoder{
		file:   path,
		lines:  locate(string(text)),
		places: places{dir: filepath.Dir(abs), getenv: getenv},
	}
	c := d.config(tree)
	if err := joinProblems(d.problems); err != nil {
		return nil, err
	}
	c.Path, c.Warnings = abs, d.warnings
	return c, nil
}

// quotation is where a message of the TOML parser begins to quote the file, which
// may be a secret that lacks its quotes.
var quotation = regexp.MustCompile(`,? but (got|found) .*|: ["'].*`)

// syntaxProblem is the one thing that can be said of a file that is not TOML.
func syntaxProblem(path string, err error) error {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		return &problem{file: path, err: err}
	}
	text, line, key := quotation.ReplaceAllString(parse.Message, ""), parse.Position.Line, parse.LastKey
	switch {
	case text == "expected value":
		text = "want a value after =; a text goes in quotes"
	case strings.Contains(text, "table"): // the key is of the table before
		key = ""
		if strings.Contains(parse.Message, `'\n'`) {
			line-- // the parser is past the end of the header
		}
		text = "want a header such as [mount] or [[provider]], with all its brackets"
	}
	return &problem{file: path, line: line, key: key, err: errors.New(text)}
}

func (d *decoder) config(tree map[string]any) *Config {
	c := DefaultConfig()
	sections := c.sections()
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if name == "provider" {
			c.Providers = d.providers(tree[name])
			continue
		}
		section, known := sections[name]
		if !known {
			names := append(slices.Collect(maps.Keys(sections)), "provider")
			d.failf(name, "unknown; %s", nearest(name, names))
			continue
		}
		if table, ok := tree[name].(map[string]any); ok {
			d.table(name, table, section)
		} else {
			d.failf(name, "want a table, which begins with the line [%s]", name)
		}
	}
	if _, ok := tree["provider"]; !ok {
		d.failf("provider", "there is none; add a [[provider]] table with a name and a type for each directory of the mount")
	}
	d.resolvePath("cache.dir", &c.Cache.Dir)
	d.check(c)
	return c
}

func (c *Config) sections() map[string]any {
	return map[string]any{"mount": &c.Mount, "cache": &c.Cache, "read": &c.Read, "log": &c.Log, "status": &c.Status}
}

// Limits of what a configuration may ask for. Less memory than minMemory does
// not hold the blocks that a handful of readers are at.
const (
	maxStreams = 64
	minWindow  = 1 << 20
	minMemory  = 16 << 20
	minDisk    = 16 << 20
)

// check reports values that are of the right type and still make no sense.
// Keys that were already reported keep their defaults and pass.
func (d *decoder) check(c *Config) {
	if c.Mount.ListingTTL == 0 {
		d.failf("mount.listing_ttl", `want more than 0, such as "5m"`)
	}
	if c.Cache.Memory < minMemory {
		d.failf("cache.memory", "%s is too little; want at least %s", c.Cache.Memory, Size(minMemory))
	}
	if c.Cache.Disk != 0 && c.Cache.Disk < minDisk {
		d.failf("cache.disk", "%s is too little; want at least %s, or 0 for no disk cache", c.Cache.Disk, Size(minDisk))
	}
	if c.Read.Streams < 1 || c.Read.Streams > maxStreams {
		d.failf("read.streams", "want a number from 1 to %d; found %d", maxStreams, c.Read.Streams)
	}
	if c.Read.Window < minWindow {
		d.failf("read.window", "%s is too little; want at least %s", c.Read.Window, Size(minWindow))
	}
	if c.Read.Window > c.Cache.Memory {
		d.failf(d.written("read.window", "cache.memory"), "a window of %s does not fit into cache.memory (%s)",
			c.Read.Window, c.Cache.Memory)
	}
	d.checkPatience(c.Read)
	d.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	d.oneOf("log.format", c.Log.Format, "text", "json")
	if c.Status.Listen != "" {
		d.failf("status.listen", "this version has no status page yet; leave it empty")
	}
}

func (d *decoder) checkPatience(r ReadConfig) {
	switch {
	case r.Deadline == 0:
		d.failf("read.deadline", `want more than 0, such as "60s"`)
	case r.Stall == 0:
		d.failf("read.stall", `want more than 0, such as "10s"`)
	case r.Stall >= r.Deadline:
		d.failf(d.written("read.stall", "read.deadline"), "stall (%s) must be shorter than deadline (%s)", r.Stall, r.Deadline)
	}
}
