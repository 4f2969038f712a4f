package fs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestConfig_Validate(t *testing.T) {
	assert.NoError(t, DefaultConfig().Validate())
	for _, c := range []struct {
		name   string
		change func(*Config)
		wrong  []string // words of the error; none for a good configuration
	}{
		{"all permissions", func(c *Config) { c.FileMode, c.DirMode = 0o777, 0o777 }, nil},
		{"no permissions", func(c *Config) { c.FileMode, c.DirMode = 0, 0 }, nil},
		{"kernel remembers nothing", func(c *Config) { c.AttrTimeout, c.EntryTimeout, c.NegativeTimeout = 0, 0, 0 }, nil},
		{"file with setuid", func(c *Config) { c.FileMode = 0o4755 }, []string{"file_mode"}},
		{"directory with sticky bit", func(c *Config) { c.DirMode = 0o1777 }, []string{"dir_mode"}},
		{"decimal for octal", func(c *Config) { c.FileMode = 01000 }, []string{"file_mode"}},
		{"negative attr_timeout", func(c *Config) { c.AttrTimeout = -1 }, []string{"attr_timeout"}},
		{"negative entry_timeout", func(c *Config) { c.EntryTimeout = -time.Second }, []string{"entry_timeout"}},
		{"negative negative_timeout", func(c *Config) { c.NegativeTimeout = -1 }, []string{"negative_timeout"}},
		{"no deadline", func(c *Config) { c.Deadline = 0 }, []string{"deadline is 0s"}},
		{"negative deadline", func(c *Config) { c.Deadline = -time.Second }, []string{"deadline is -1s"}},
		{"everything", func(c *Config) { c.FileMode, c.AttrTimeout, c.Deadline = 1<<15, -1, 0 },
			[]string{"file_mode", "attr_timeout", "deadline"}},
		{"nothing set", func(c *Config) { *c = Config{} }, []string{"deadline"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.change(&cfg)
			err := cfg.Validate()
			if c.wrong == nil {
				assert.NoError(t, err)
				return
			}
			for _, word := range c.wrong {
				assert.ErrorContains(t, err, word)
			}
		})
	}
}
