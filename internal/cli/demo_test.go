package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/resolver/sim"
)

// simulate starts the services of a demonstration and returns what reads them.
func simulate(t *testing.T) *Config {
	t.Helper()
	d := &demonstration{scratch: t.TempDir(), level: "warn"}
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	c, err := d.config()
	require.NoError(t, err)
	return c
}

// askForLinks makes one call for the links of ids and returns its status and
// what was said of each id.
func askForLinks(t *testing.T, api *sim.Config, ids []string) (status int, said map[string]string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"ids": ids})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.BaseURL+"/api/links", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+api.AccessToken.Reveal())
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer struct{ Links []struct{ ID, Error string } }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	said = make(map[string]string)
	for _, l := range answer.Links {
		said[l.ID] = l.Error
	}
	return resp.StatusCode, said
}

func TestDemo_MailHasItAll(t *testing.T) {
	mail := simulate(t).Providers[0]
	require.Equal(t, demo.Mail, mail.Name)
	api := mail.Options.(*sim.Config)
	messages := make(map[string][]string)
	withheld := make(map[string]demo.Withheld)
	for _, f := range demo.Set(demo.Mail) {
		message := path.Dir(f.Path)
		messages[message] = append(messages[message], f.Path)
		withheld[f.Path] = f.Withheld
	}
	notes := messages["2026-10-20 Delivery notes"]
	require.NotEmpty(t, notes)

	status, said := askForLinks(t, api, notes)
	require.Equal(t, http.StatusOK, status)
	for _, id := range notes {
		word, answered := said[id]
		assert.Equal(t, withheld[id] != demo.Missing, answered, id)
		assert.Equal(t, withheld[id] == demo.Forbidden, word == "forbidden", id)
	}
	status, _ = askForLinks(t, api, notes)
	assert.Equal(t, http.StatusTooManyRequests, status, "one call a second")
}

func TestDemo_Greets(t *testing.T) {
	var out bytes.Buffer
	d := &demonstration{to: console{out: &out}}
	d.greet("/mnt/demo", 4)
	said := out.String()
	assert.True(t, strings.HasPrefix(said, mountedLine("/mnt/demo", 4)+"\n"))
	for _, set := range demo.Names() {
		assert.Contains(t, said, "\n  "+set+" ")
	}
	for _, line := range strings.Split(said, "\n") {
		assert.LessOrEqual(t, len(line), 90, line)
	}
}
