package feishudocs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishudocs"
)

func TestConfig_Validate(t *testing.T) {
	valid := feishudocs.Config{AppID: "cli_1", AppSecret: resolver.NewSecret("s")}
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf("folder:token%d", i)
	}
	for _, c := range []struct {
		name  string
		spoil func(*feishudocs.Config)
		says  string
	}{
		{"valid", func(*feishudocs.Config) {}, ""},
		{"all roots", func(c *feishudocs.Config) {
			c.Roots = []string{"drive", "folder:fldcn1", "docx:doxcn1", "sheet:shtcn1", "bitable:bascn1", "wiki:7034502641455497244", "wiki:my_library"}
		}, ""},
		{"a token alone", func(c *feishudocs.Config) {
			c.AppID, c.AppSecret, c.AccessToken = "", resolver.Secret{}, resolver.NewSecret("u")
		}, ""},
		{"nothing", func(c *feishudocs.Config) { *c = feishudocs.Config{} }, "app_id: is missing"},
		{"base address", func(c *feishudocs.Config) { c.BaseURL = "feishu" }, "base_url: must be"},
		{"no kind", func(c *feishudocs.Config) { c.Roots = []string{"fldcn1"} }, `roots: "fldcn1": want one such as "folder:TOKEN"`},
		{"another kind", func(c *feishudocs.Config) { c.Roots = []string{"file:abcd"} }, "want one such as"},
		{"an address", func(c *feishudocs.Config) { c.Roots = []string{"docx:https://x.feishu.cn/docx/abcd"} }, "the last part of the address"},
		{"no token", func(c *feishudocs.Config) { c.Roots = []string{"docx:"} }, "the last part of the address"},
		{"twice", func(c *feishudocs.Config) { c.Roots = []string{"drive", "drive"} }, `"drive" is there twice`},
		{"many", func(c *feishudocs.Config) { c.Roots = many }, "more than 200"},
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
	cfg := feishudocs.Config{AppID: "cli_1", AppSecret: resolver.NewSecret("s")}
	p := connect(t, cfg)
	assert.Equal(t, "open.feishu.cn/cli_1", p.Account())
	assert.Equal(t, []string{"open.feishu.cn"}, p.LinkHosts())
}
