package manifest

import (
	"errors"
	"log/slog"
)

// Config is what a manifest provider is made from.
type Config struct {
	// File is the path of the document, absolute when it is given to New.
	File string `toml:"file"`
	// Log is told of versions that cannot be used; nil is slog.Default().
	Log *slog.Logger `toml:"-"`
}

// Validate says what is missing and what would be right. It does not look at
// the document.
func (c Config) Validate() error {
	if c.File == "" {
		return errors.New(`file: is missing; name the document that lists the files, such as file = "list.json"`)
	}
	return nil
}
