package feishumail_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishumail"
)

func TestConfig_Validate(t *testing.T) {
	valid := feishumail.Config{AppID: "cli_1", AppSecret: resolver.NewSecret("s"), Mailbox: mailbox}
	for _, c := range []struct {
		name  string
		spoil func(*feishumail.Config)
		says  string
	}{
		{"valid", func(*feishumail.Config) {}, ""},
		{"all keys", func(c *feishumail.Config) {
			c.BaseURL, c.Folders, c.Since, c.Inline = "https://open.larksuite.com", []string{"Inbox"}, time.Hour, true
		}, ""},
		{"own mailbox by login", func(c *feishumail.Config) { c.Mailbox, c.TokenFile = "me", "mail.token" }, ""},
		{"own mailbox", func(c *feishumail.Config) { c.Mailbox, c.AccessToken = "me", resolver.NewSecret("u") }, ""},
		{"nothing", func(c *feishumail.Config) { *c = feishumail.Config{} }, "app_id: is missing"},
		{"no mailbox", func(c *feishumail.Config) { c.Mailbox = "" }, "mailbox: is missing; write its address"},
		{"app's own mailbox", func(c *feishumail.Config) { c.Mailbox = "me" }, "an app needs the address"},
		{"no address", func(c *feishumail.Config) { c.Mailbox = "finance" }, "is no address"},
		{"base address", func(c *feishumail.Config) { c.BaseURL = "feishu" }, "base_url: must be"},
		{"since", func(c *feishumail.Config) { c.Since = -1 }, "since: must be"},
		{"folder", func(c *feishumail.Config) { c.Folders = []string{" "} }, "folders: has an empty name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := valid
			c.spoil(&cfg)
			if c.says == "" {
				assert.NoError(t, cfg.Validate())
				return
			}
			assert.ErrorContains(t, cfg.Validate(), c.says)
		})
	}
}

func TestProvider_Account(t *testing.T) {
	cfg := feishumail.Config{AppID: "cli_1", AppSecret: resolver.NewSecret("s"), Mailbox: mailbox}
	assert.Equal(t, "open.feishu.cn/cli_1/finance@example.com", connect(t, cfg).Account())
}

func TestConfig_Zone(t *testing.T) {
	for base, want := range map[string]string{
		"":                                  "UTC+8",
		"https://open.feishu.cn":            "UTC+8",
		"https://feishu.intranet:8443/lark": "UTC+8",
		"https://open.larksuite.com":        "UTC",
	} {
		assert.Equal(t, want, feishumail.Config{BaseURL: base}.Zone().String(), base)
	}
}
