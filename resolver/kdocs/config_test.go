package kdocs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
)

func TestConfig(t *testing.T) {
	secret := resolver.NewSecret("x")
	login := kdocs.Config{AppID: "AK", AppKey: secret, TokenFile: "f"}
	require.NoError(t, login.Validate())
	require.NoError(t, kdocs.Config{AccessToken: secret}.Validate())
	for want, change := range map[string]func(*kdocs.Config){
		"app_id: is missing":     func(c *kdocs.Config) { c.AppID = "" },
		"app_key: is missing":    func(c *kdocs.Config) { c.AppKey = resolver.Secret{} },
		"token_file: is missing": func(c *kdocs.Config) { c.TokenFile = "" },
		"base_url: ":             func(c *kdocs.Config) { c.BaseURL = "kdocs" },
		"daily_calls: ":          func(c *kdocs.Config) { c.DailyCalls = -1 },
		`documents: "" is no`:    func(c *kdocs.Config) { c.Documents = []string{"a", ""} },
		`documents: "docx:a" is`: func(c *kdocs.Config) { c.Documents = []string{"docx:a"} },
		`documents: "https`:      func(c *kdocs.Config) { c.Documents = []string{"https://www.kdocs.cn/l/x"} },
	} {
		c := login
		change(&c)
		assert.ErrorContains(t, c.Validate(), want)
	}
	login.Documents = []string{"a", "ksheet:b"}
	assert.NoError(t, login.Validate())
}
