package ekuaibao

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// maxLinkTTL is the longest life that the API grants a link.
const maxLinkTTL = 30 * time.Minute

// documentTypes are those that the call for lists knows.
var documentTypes = []string{"expense", "loan", "payment", "requisition", "custom", "receipt", "permit"}

// documentStates are those that a document can be in, with the ones first that
// are not shown unless they are asked for.
var documentStates = []string{
	"draft", "nullify",
	"pending", "approving", "rejected", "paying", "PROCESSING", "paid", "archived", "sending", "receiving",
}

// unasked is how many of documentStates are shown only if they are asked for.
const unasked = 2

// Config is what a provider is made from.
type Config struct {
	// BaseURL is the address of the API; found by CorpID if empty.
	BaseURL string `toml:"base_url"`
	// CorpID is the id of the company.
	CorpID string `toml:"corp_id"`
	// AppKey and AppSecurity are those of the company's open interface.
	AppKey      resolver.Secret `toml:"app_key"`
	AppSecurity resolver.Secret `toml:"app_security"`
	// Types are the types of documents to show; all if empty.
	Types []string `toml:"types"`
	// States are those of the documents to show; all but draft and nullify if
	// empty.
	States []string `toml:"states"`
	// Templates are the ids of the templates whose documents are shown; all if
	// empty.
	Templates []string `toml:"templates"`
	// Staff is the id of the one person whose documents are shown; all if empty.
	Staff string `toml:"staff"`
	// Since is how far back the documents were made that are listed; 0 for all.
	Since time.Duration `toml:"since"`
	// LinkTTL is how long links are to live; 30 minutes, which is the most, if 0.
	LinkTTL time.Duration `toml:"link_ttl"`
	// Thumbnails shows small ones of pictures in directories ".thumbnails".
	Thumbnails bool `toml:"thumbnails"`
	// Log is told of calls that the company may not make, and when the API asks
	// to wait; nil is slog.Default().
	Log *slog.Logger `toml:"-"`

	locator string // where to ask for the host; that of the vendor if empty
}

// Validate says what is missing and what would be right, without asking the API.
func (c Config) Validate() error {
	if c.BaseURL != "" {
		if err := api.ValidateBaseURL(c.BaseURL); err != nil {
			return fmt.Errorf("base_url: %w", err)
		}
	}
	switch {
	case c.BaseURL == "" && c.CorpID == "":
		return errors.New("corp_id: is missing; the page of the company in Hesi shows it, and the company's host is found by it; or write base_url")
	case c.AppKey.IsZero():
		return errors.New(`app_key: is missing; Hesi shows it under "开放接口(新)", and it is best written as "env:NAME" or "file:PATH"`)
	case c.AppSecurity.IsZero():
		return errors.New(`app_security: is missing; it stands beside the app_key, and is best written as "env:NAME" or "file:PATH"`)
	case c.Since < 0:
		return errors.New(`since: must be a length of time such as "365d", or nothing for all documents`)
	case c.LinkTTL != 0 && (c.LinkTTL < time.Second || c.LinkTTL > maxLinkTTL):
		return fmt.Errorf(`link_ttl: %v is not from "1s" to "30m", which is the most that the API grants`, c.LinkTTL)
	}
	return errors.Join(oneOf("types", c.Types, documentTypes), oneOf("states", c.States, documentStates), c.templates())
}

func (c Config) templates() error {
	if slices.ContainsFunc(c.Templates, func(t string) bool { return strings.Trim(t, " ") == "" || strings.Contains(t, ",") }) {
		return errors.New("templates: want the ids of templates, one a text")
	}
	return nil
}

// oneOf says which word of a list is not known.
func oneOf(key string, words, known []string) error {
	for _, w := range words {
		if !slices.Contains(known, w) {
			return fmt.Errorf("%s: there is no %q; there are %s", key, w, strings.Join(known, ", "))
		}
	}
	return nil
}

func (c Config) types() []string {
	if len(c.Types) == 0 {
		return documentTypes
	}
	return c.Types
}

func (c Config) states() []string {
	if len(c.States) == 0 {
		return documentStates[unasked:]
	}
	return c.States
}

func (c Config) linkTTL() time.Duration { return cmp.Or(c.LinkTTL, maxLinkTTL) }

// account tells the company by a digest: its id is a part of its tokens, and
// where there is none the key of the app stands for it.
func (c Config) account() string {
	kind, name := "corp", c.CorpID
	if name == "" {
		kind, name = "app", c.AppKey.Reveal()
	}
	sum := sha256.Sum256([]byte(name))
	company := fmt.Sprintf("%s-%x", kind, sum[:8])
	if u, err := url.Parse(c.BaseURL); err == nil && u.Host != "" {
		return u.Host + strings.TrimRight(u.Path, "/") + "/" + company
	}
	return "ekuaibao/" + company
}
