package cli

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/manifest"
)

// remoteOptions are of the shape that a provider with an account has.
type remoteOptions struct {
	BaseURL string          `toml:"base_url"`
	Token   resolver.Secret `toml:"access_token"`
	Since   time.Duration   `toml:"since"`
	Folders []string        `toml:"folders"`
}

func (o *remoteOptions) Validate() error {
	if o.Token.IsZero() {
		return errors.New("access_token: is missing")
	}
	return nil
}

func registerRemote(t *testing.T) {
	providerTypes["remote"] = func() options { return new(remoteOptions) }
	t.Cleanup(func() { delete(providerTypes, "remote") })
}

const oneProvider = "[[provider]]\nname = \"files\"\ntype = \"manifest\"\nfile = \"list.json\"\n"

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return LoadConfig(path, environment(map[string]string{"HOME": "/home/me", "TOKEN": "s3cret"}))
}

// complaints returns the parts of a joined error, without the directory.
func complaints(err error) []string {
	var texts []string
	for _, line := range strings.Split(err.Error(), "\n") {
		texts = append(texts, line[strings.Index(line, "config.toml"):])
	}
	return texts
}

func TestLoadConfig_Defaults(t *testing.T) {
	c, err := load(t, oneProvider)
	require.NoError(t, err)
	want := DefaultConfig()
	want.Cache.Dir = "/home/me/.cache/attachfs"
	want.Path = c.Path
	want.Providers = []ProviderConfig{{
		Name: "files", Type: "manifest",
		Options: &manifest.Config{File: filepath.Join(filepath.Dir(c.Path), "list.json")},
	}}
	assert.Equal(t, want, c)
	assert.Empty(t, c.Warnings)
}

func TestLoadConfig_EveryKey(t *testing.T) {
	registerRemote(t)
	c, err := load(t, `
[mount]
allow_other = true
uid = 1000
gid = 100
file_mode = "0440"
dir_mode = "0550"
listing_ttl = "1d"
attr_timeout = "2m"
entry_timeout = "3m"
negative_timeout = "0s"
xattrs = true
[cache]
memory = 33554432
disk = 0
dir = "blocks"
min_free = "2GB"
[read]
streams = 64
window = "1MiB"
deadline = "20s"
stall = "5s"
[log]
level = "debug"
format = "json"
[status]
listen = ""
[[provider]]
name = "mail"
type = "remote"
base_url = "https://mail.example.com"
insecure_hosts = ["127.0.0.1", "[::1]:80", "::1", "files.intranet:8080"]
access_token = "env:TOKEN"
since = "90d"
folders = ["in", "out"]
`)
	require.NoError(t, err)
	assert.Equal(t, MountConfig{
		AllowOther: true, UID: 1000, GID: 100, FileMode: 0o440, DirMode: 0o550, ListingTTL: Duration(day),
		AttrTimeout: Duration(2 * time.Minute), EntryTimeout: Duration(3 * time.Minute), Xattrs: true,
	}, c.Mount)
	assert.Equal(t, CacheConfig{Memory: 32 << 20, Dir: filepath.Join(filepath.Dir(c.Path), "blocks"), MinFree: 2e9}, c.Cache)
	assert.Equal(t, ReadConfig{Streams: 64, Window: 1 << 20, Deadline: Duration(20 * time.Second), Stall: Duration(5 * time.Second)}, c.Read)
	assert.Equal(t, LogConfig{Level: "debug", Format: "json"}, c.Log)
	require.Len(t, c.Providers, 1)
	p := c.Providers[0]
	assert.Equal(t, "https://mail.example.com", p.BaseURL)
	assert.Len(t, p.InsecureHosts, 4)
	require.IsType(t, &remoteOptions{}, p.Options)
	o := p.Options.(*remoteOptions)
	assert.Equal(t, "https://mail.example.com", o.BaseURL)
	assert.Equal(t, "s3cret", o.Token.Reveal())
	assert.Equal(t, 90*day, o.Since)
	assert.Equal(t, []string{"in", "out"}, o.Folders)
	assert.Empty(t, c.Warnings)
}

func TestLoadConfig_Complaints(t *testing.T) {
	registerRemote(t)
	remote := "[[provider]]\nname = \"r\"\ntype = \"remote\"\naccess_token = \"env:TOKEN\"\n"
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"header":                {"[mount]\nallow_other = false\n\n[[provider]\nname = \"a\"\n", []string{"config.toml:4: want a header such as [mount] or [[provider]], with all its brackets"}},
		"header of a section":   {"[mount\nuid = 1\n", []string{"config.toml:1: want a header such as"}},
		"syntax":                {"[mount]\nuid = \n", []string{"config.toml:2: mount.uid: want a value after =; a text goes in quotes"}},
		"key twice":             {"[read]\nstreams = 1\nstreams = 2\n", []string{"config.toml:3: read.streams: "}},
		"empty":                 {"", []string{"config.toml: provider: there is none"}},
		"single brackets":       {"[provider]\nname = \"x\"\n", []string{"config.toml:1: provider: want a table for each"}},
		"empty list":            {"provider = []\n", []string{"config.toml:1: provider: the list is empty"}},
		"unknown section":       {oneProvider + "[caches]\n", []string{"config.toml:5: caches: unknown; did you mean cache?"}},
		"unknown top key":       {"streams = 8\n" + oneProvider, []string{"config.toml:1: streams: unknown; known are cache, log"}},
		"section is no table":   {"read = 8\n" + oneProvider, []string{"config.toml:1: read: want a table, which begins with the line [read]"}},
		"unknown key":           {oneProvider + "[read]\nstal = \"1s\"\n", []string{"config.toml:6: read.stal: unknown; did you mean stall?"}},
		"unknown inline key":    {"read = {stal = 1}\n" + oneProvider, []string{"config.toml:1: read.stal: unknown; did you mean stall?"}},
		"provider key":          {oneProvider + remote + "folder = []\n", []string{"config.toml:9: provider.folder: unknown; did you mean folders?"}},
		"key of another type":   {oneProvider + "folders = []\n", []string{"config.toml:5: provider.folders: unknown; known are base_url, file"}},
		"bool as text":          {oneProvider + "[mount]\nxattrs = \"yes\"\n", []string{"config.toml:6: mount.xattrs: want true or false, without quotes; found a text"}},
		"text as number":        {oneProvider + "[log]\nlevel = 3\n", []string{"config.toml:6: log.level: want a text in quotes; found a whole number"}},
		"number as text":        {oneProvider + "[read]\nstreams = \"8\"\n", []string{"config.toml:6: read.streams: want a whole number, without quotes; found a text"}},
		"fraction":              {oneProvider + "[read]\nstreams = 1.5\n", []string{"config.toml:6: read.streams: want a whole number, without quotes; found a number with a fraction"}},
		"uid":                   {oneProvider + "[mount]\nuid = -1\n", []string{"config.toml:6: mount.uid: want a number from 0 to 4294967294; found -1"}},
		"size":                  {oneProvider + "[cache]\ndisk = \"10G\"\n", []string{"config.toml:6: cache.disk: want a whole number of bytes"}},
		"negative size":         {oneProvider + "[cache]\ndisk = -1\n", []string{"config.toml:6: cache.disk: want a whole number of bytes"}},
		"duration":              {oneProvider + "[read]\nstall = \"ten\"\n", []string{`config.toml:6: read.stall: want a length of time`}},
		"duration as number":    {oneProvider + "[read]\nstall = 10\n", []string{`config.toml:6: read.stall: want a length of time`}},
		"mode as number":        {oneProvider + "[mount]\nfile_mode = 0o444\n", []string{`config.toml:6: mount.file_mode: want octal permissions in quotes`}},
		"list of numbers":       {oneProvider + "insecure_hosts = [1]\n", []string{`config.toml:5: provider.insecure_hosts: want a list of texts`}},
		"listing_ttl":           {oneProvider + "[mount]\nlisting_ttl = \"0s\"\n", []string{"config.toml:6: mount.listing_ttl: want more than 0"}},
		"memory":                {oneProvider + "[cache]\nmemory = \"1MiB\"\n[read]\nwindow = \"1MiB\"\n", []string{"config.toml:6: cache.memory: 1MiB is too little; want at least 16MiB"}},
		"disk":                  {oneProvider + "[cache]\ndisk = 1\n", []string{"config.toml:6: cache.disk: 1 is too little; want at least 16MiB, or 0"}},
		"cache dir":             {oneProvider + "[cache]\ndir = \"\"\n", []string{"config.toml:6: cache.dir: is empty"}},
		"streams":               {oneProvider + "[read]\nstreams = 65\n", []string{"config.toml:6: read.streams: want a number from 1 to 64; found 65"}},
		"no streams":            {oneProvider + "[read]\nstreams = 0\n", []string{"config.toml:6: read.streams: want a number from 1 to 64; found 0"}},
		"window":                {oneProvider + "[read]\nwindow = 0\n", []string{"config.toml:6: read.window: 0 is too little; want at least 1MiB"}},
		"window beyond memory":  {oneProvider + "[read]\nwindow = \"1GiB\"\n", []string{"config.toml:6: read.window: a window of 1GiB does not fit into cache.memory (256MiB)"}},
		"memory below window":   {oneProvider + "[cache]\nmemory = \"16MiB\"\n", []string{"config.toml:6: cache.memory: a window of 32MiB does not fit"}},
		"deadline":              {oneProvider + "[read]\ndeadline = \"0s\"\n", []string{"config.toml:6: read.deadline: want more than 0"}},
		"no stall":              {oneProvider + "[read]\nstall = \"0s\"\n", []string{"config.toml:6: read.stall: want more than 0"}},
		"stall beyond deadline": {oneProvider + "[read]\nstall = \"1m\"\n", []string{"config.toml:6: read.stall: stall (1m) must be shorter than deadline (1m)"}},
		"deadline below stall":  {oneProvider + "[read]\ndeadline = \"5s\"\n", []string{"config.toml:6: read.deadline: stall (10s) must be shorter"}},
		"level":                 {oneProvider + "[log]\nlevel = \"warning\"\n", []string{`config.toml:6: log.level: "warning" is not one of them; known are`}},
		"format":                {oneProvider + "[log]\nformat = \"jsn\"\n", []string{`config.toml:6: log.format: "jsn" is not one of them; did you mean json?`}},
		"status":                {oneProvider + "[status]\nlisten = \":80\"\n", []string{"config.toml:6: status.listen: this version has no status page yet"}},
		"no name":               {"[[provider]]\ntype = \"manifest\"\nfile = \"l\"\n", []string{"config.toml:1: provider.name: is missing"}},
		"name of a wrong type":  {"[[provider]]\nname = 1\ntype = \"manifest\"\nfile = \"l\"\n", []string{"config.toml:2: provider.name: want a text"}},
		"no type":               {"[[provider]]\nname = \"a\"\n", []string{"config.toml:1: provider.type: is missing; known are ekuaibao, feishu-docs, feishu-mail, kdocs, manifest, remote"}},
		"unknown type":          {"[[provider]]\nname = \"a\"\ntype = \"manifst\"\nfile = \"l\"\n", []string{`config.toml:3: provider.type: "manifst" is not one of them; did you mean manifest?`}},
		"required key":          {"[[provider]]\nname = \"a\"\ntype = \"manifest\"\n", []string{"config.toml:1: provider: file: is missing"}},
		"name twice":            {oneProvider + oneProvider, []string{`config.toml:6: provider.name: "files" is taken by the provider in line 2`}},
		"base_url":              {remote + "base_url = \"example.com\"\n", []string{`config.toml:5: provider.base_url: want the address of the service`}},
		"base_url with user":    {remote + "base_url = \"https://me:s3cret@example.com\"\n", []string{`config.toml:5: provider.base_url: want the address alone`}},
		"secret":                {remote + "[[provider]]\nname = \"q\"\ntype = \"remote\"\naccess_token = \"env:NOPE\"\n", []string{`config.toml:8: provider.access_token: the environment variable "NOPE" is not set`}},
		"several": {
			"[read]\nstall = 10\nstreams = 0\n[cash]\n[[provider]]\nname = \"a/b\"\ntype = \"manifest\"\n",
			[]string{
				"config.toml:2: read.stall: want", "config.toml:3: read.streams: want", "config.toml:4: cash: unknown; did you mean cache?",
				"config.toml:5: provider: file: is missing", `config.toml:6: provider.name: "a/b" has a slash`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tc.text)
			require.ErrorIs(t, err, ErrConfig)
			assert.NotContains(t, err.Error(), "s3cret")
			got := complaints(err)
			require.Len(t, got, len(tc.want), "%q", got)
			for i := range got {
				assert.True(t, strings.HasPrefix(got[i], tc.want[i]), "%q does not begin with %q", got[i], tc.want[i])
			}
		})
	}
}

func TestLoadConfig_Warnings(t *testing.T) {
	registerRemote(t)
	c, err := load(t, `[[provider]]
name = "a"
type = "remote"
base_url = "http://example.com"
access_token = "s3cret"
[[provider]]
name = "b"
type = "remote"
base_url = "http://127.0.0.1:80"
access_token = "env:TOKEN"
[[provider]]
name = "c"
type = "manifest"
base_url = "https://example.com"
file = "l"
`)
	require.NoError(t, err)
	require.Len(t, c.Warnings, 3)
	text := strings.Join(c.Warnings, "\n")
	assert.Contains(t, text, "config.toml:4: provider.base_url: plain http")
	assert.Contains(t, text, "config.toml:5: provider.access_token: the secret stands in the file")
	assert.Contains(t, text, "config.toml:14: provider.base_url: has no effect on a provider of type manifest")
	assert.NotContains(t, text, "s3cret")
}

func TestLoadConfig_SyntaxErrorShowsNoSecret(t *testing.T) {
	for _, value := range []string{
		"tsecret", "s3cret", "9secret", "0xsecret", "2024-secret", "-secret", "[secret]", "{secret}", "[[1], secret]",
		`"secret`, `"secret\q"`, `"secret\usecret"`, `"x" secret`, "'secret\n'", "secret\n[secret",
	} {
		_, err := load(t, "[[provider]]\naccess_token = "+value+"\n")
		require.ErrorIs(t, err, ErrConfig)
		for _, part := range []string{"sec", "s3c", "0xs", "2024"} {
			assert.NotContains(t, err.Error(), part, "with %s", value)
		}
	}
}

func TestLoadConfig_NoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadConfig("", environment(map[string]string{"XDG_CONFIG_HOME": dir}))
	require.ErrorIs(t, err, ErrConfig)
	assert.Equal(t, dir+"/attachfs/config.toml: there is no such file; config.toml.example shows how to write one", err.Error())

	_, err = LoadConfig("", environment(map[string]string{"HOME": dir}))
	assert.ErrorContains(t, err, dir+"/.config/attachfs/config.toml: ")

	_, err = LoadConfig(dir, environment(nil))
	require.ErrorIs(t, err, ErrConfig)
	assert.ErrorContains(t, err, "is a directory")
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"mail", "Rechnungen 2024", "发票", ".hidden", "...", strings.Repeat("x", 255)} {
		assert.NoError(t, checkName(name), name)
	}
	for _, name := range []string{".", "..", "a/b", "a\x00b", "a\nb", "\xff", " a", "a ", strings.Repeat("x", 256), ".go-fuse-epoll-hack"} {
		assert.Error(t, checkName(name), "%q", name)
	}
}

func TestCheckHost(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1", "127.0.0.1:80", "::1", "[::1]", "[::1]:8080", "files.intranet", "my_host:65535"} {
		assert.NoError(t, checkHost(host), host)
	}
	for _, host := range []string{"", "http://a", "a/b", "a:", "a:0", "a:65536", "a:http", "*", "a b", ":80", "-a", "user@a"} {
		assert.Error(t, checkHost(host), host)
	}
}

const example = "../../config.toml.example"

func TestExample(t *testing.T) {
	text, err := os.ReadFile(example)
	require.NoError(t, err)
	c, err := load(t, string(text))
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
	want := DefaultConfig()
	want.Cache.Dir = "/home/me/.cache/attachfs"
	want.Path, want.Providers = c.Path, c.Providers
	assert.Equal(t, want, c, "the example shows the defaults")
	assert.Len(t, c.Providers, 1)

	optional := regexp.MustCompile(`(?m)^# (\[\[provider\]\]|[a-z_]+ = )`)
	whole := optional.ReplaceAllString(string(text), "$1")
	whole = regexp.MustCompile(`"(env|file):.*"`).ReplaceAllString(whole, `"env:TOKEN"`)
	c, err = load(t, whole)
	require.NoError(t, err, "what stands behind # is right, too")
	assert.EqualValues(t, 1000, c.Mount.UID)
	assert.NotEmpty(t, c.Providers[0].InsecureHosts)
	assert.Len(t, c.Providers, len(providerTypes)-len(hiddenTypes), "one of each type")
}

func TestExample_HasEveryKey(t *testing.T) {
	text, err := os.ReadFile(example)
	require.NoError(t, err)
	tables := DefaultConfig().sections()
	tables["[provider]"] = &ProviderConfig{}
	for kind, newOptions := range providerTypes {
		if kind != "sim" {
			assert.Contains(t, string(text), `"`+kind+`"`)
			tables["[provider] of type "+kind] = newOptions()
		}
	}
	for name, table := range tables {
		header, _, _ := strings.Cut(name, " ")
		_, section, found := strings.Cut(string(text), "\n["+header+"]\n")
		require.True(t, found, name)
		section, _, _ = strings.Cut(section, "\n[")
		for key := range fieldsOf(table) {
			assert.Regexp(t, `(?m)^(# )?`+key+` = `, section, name)
		}
	}
}
