package cli

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/attachfs/attachfs/resolver/ekuaibao"
	"github.com/attachfs/attachfs/resolver/feishudocs"
	"github.com/attachfs/attachfs/resolver/feishumail"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/manifest"
	"github.com/attachfs/attachfs/resolver/sim"
)

// options is the Config of a provider's package.
type options interface {
	// Validate reports what is missing or makes no sense.
	Validate() error
}

// providerTypes makes the empty options of each type of provider. Of their
// keys, file and token_file are paths.
var providerTypes = map[string]func() options{
	"ekuaibao":    func() options { return new(ekuaibao.Config) },
	"feishu-docs": func() options { return new(feishudocs.Config) },
	"feishu-mail": func() options { return new(feishumail.Config) },
	"kdocs":       func() options { return new(kdocs.Config) },
	"manifest":    func() options { return new(manifest.Config) },
	"sim":         func() options { return new(sim.Config) },
}

// hiddenTypes are of use to the demonstration only and not suggested.
var hiddenTypes = []string{"sim"}

func (d *decoder) providers(value any) []ProviderConfig {
	tables, ok := tablesOf(value)
	if !ok {
		d.failf("provider", "want a table for each provider, which begins with the line [[provider]] in double brackets")
		return nil
	}
	if len(tables) == 0 {
		d.failf("provider", "the list is empty; want a [[provider]] table for each directory of the mount")
	}
	providers := make([]ProviderConfig, len(tables))
	first := map[string]int{}
	for i, table := range tables {
		at := fmt.Sprintf("provider[%d]", i)
		providers[i] = d.provider(at, table)
		name := providers[i].Name
		if name == "" {
			continue
		}
		if line, taken := first[name]; taken {
			d.failf(at+".name", "%q is taken by the provider in line %d; each one needs a name of its own", name, line)
			continue
		}
		first[name] = d.lines.of(at + ".name")
	}
	return providers
}

// tablesOf returns the tables of an array, whichever way it was written.
func tablesOf(value any) ([]map[string]any, bool) {
	switch value := value.(type) {
	case []map[string]any:
		return value, true
	case []any:
		tables := make([]map[string]any, len(value))
		for i, item := range value {
			table, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			tables[i] = table
		}
		return tables, true
	}
	return nil, false
}

func (d *decoder) provider(at string, table map[string]any) ProviderConfig {
	p := ProviderConfig{}
	before := len(d.problems)
	kind, _ := table["type"].(string)
	newOptions, known := providerTypes[kind]
	if known {
		o := newOptions()
		d.table(at, table, &p, o)
		d.checkOptions(at, table, o, len(d.problems) == before)
		p.Options = o
	} else {
		d.table(at, commonKeys(table), &p)
		d.unknownType(at, table)
	}
	if p.Name != "" {
		p.Name = norm.NFC.String(p.Name)
		if err := checkName(p.Name); err != nil {
			d.fail(at+".name", err)
		}
	} else if _, written := table["name"].(string); written || table["name"] == nil {
		d.failf(at+".name", "is missing; it names the directory under the mount point")
	}
	if p.BaseURL != "" {
		d.checkBaseURL(at+".base_url", p.BaseURL)
	}
	for _, host := range p.InsecureHosts {
		if err := checkHost(host); err != nil {
			d.fail(at+".insecure_hosts", err)
		}
	}
	return p
}

// checkOptions resolves the paths in o and, when the table had no problem so
// far, lets the provider's package judge them.
func (d *decoder) checkOptions(at string, table map[string]any, o options, sound bool) {
	fields := fieldsOf(o)
	for _, key := range []string{"file", "token_file"} {
		if file, ok := fields[key].(*string); ok && *file != "" {
			d.resolvePath(at+"."+key, file)
		}
	}
	if _, used := fields["base_url"]; !used && table["base_url"] != nil {
		d.warnf(at+".base_url", "has no effect on a provider of type %s", table["type"])
	}
	if !sound {
		return
	}
	if err := o.Validate(); err != nil {
		d.fail(at, err)
	}
}

// commonKeys leaves out the keys that only a type can know.
func commonKeys(table map[string]any) map[string]any {
	common := fieldsOf(&ProviderConfig{})
	kept := maps.Clone(table)
	maps.DeleteFunc(kept, func(key string, _ any) bool { return common[key] == nil })
	return kept
}

func (d *decoder) unknownType(at string, table map[string]any) {
	known := slices.DeleteFunc(slices.Sorted(maps.Keys(providerTypes)), func(kind string) bool {
		return slices.Contains(hiddenTypes, kind)
	})
	kind, ok := table["type"].(string)
	switch {
	case kind == "" && (ok || table["type"] == nil):
		d.failf(at+".type", "is missing; known are %s", strings.Join(known, ", "))
	case ok:
		d.failf(at+".type", "%q is not one of them; %s", kind, nearest(kind, known))
	}
}

// maxName is the longest name a directory entry can have, in bytes.
const maxName = 255

// checkName reports a name that cannot be a directory under the mount point.
func checkName(name string) error {
	switch {
	case name == "." || name == "..":
		return fmt.Errorf("%q cannot name a directory", name)
	case name == ".go-fuse-epoll-hack":
		return fmt.Errorf("%q is taken by the FUSE library", name)
	case len(name) > maxName:
		return fmt.Errorf("has %d bytes; a directory's name has at most %d", len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q has characters that cannot be printed", name)
	case strings.Contains(name, "/"):
		return fmt.Errorf("%q has a slash; it is the name of one directory", name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%q begins or ends with a blank", name)
	}
	return nil
}

func (d *decoder) checkBaseURL(key, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
		d.failf(key, `want the address of the service, such as "https://open.example.com"`)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		d.failf(key, "want the address alone, without a user, ? or #")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		d.warnf(key, "plain http: whoever is on the way can read the tokens; use https where the service has it")
	}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}

var hostName = regexp.MustCompile(`^[\pL\pN_]([\pL\pN_.-]*[\pL\pN_])?$`)

// checkHost reports what is neither a host nor host:port.
func checkHost(text string) error {
	want := fmt.Errorf(`want "host" or "host:port"; found %q`, text)
	host := strings.Trim(text, "[]")
	if h, port, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%w, whose port is not a number from 1 to 65535", want)
		}
		host = h
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostName.MatchString(host) {
		return want
	}
	return nil
}
