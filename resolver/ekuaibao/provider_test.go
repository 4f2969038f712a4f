package ekuaibao_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// lend answers calls for links as the vendor's page says, last asked first: of a
// DingTalk drive with headers, and nothing for what is not there.
func (c *company) lend(_ *http.Request, body string) (int, string) {
	var asked []struct{ ID, Key string }
	if json.Unmarshal([]byte(body), &asked) != nil || len(asked) > 100 {
		return 412, `参数超过最大限制`
	}
	answer := []string{}
	for _, item := range asked {
		key, _ := json.Marshal(item.Key)
		switch {
		case strings.Contains(item.ID, "gone"):
		case strings.HasPrefix(item.Key, "DP:"):
			answer = append(answer, fmt.Sprintf(`{"id":%q,"key":%s,"url":"https://drive.example/%s.file","thumbUrl":"https://drive.example/%s.file",
				"headers":{"Authorization":"OSS x:%s","x-oss-date":"20261008T040000Z"}}`, item.ID, key, item.ID, item.ID, linksim.Marker))
		default:
			answer = append(answer, fmt.Sprintf(`{"id":%q,"key":%s,"url":"https://store.example/%s?e=1999999999&token=%s","thumbUrl":"https://store.example/%s?x-oss-process=image/resize&Signature=%s"}`,
				item.ID, key, item.ID, linksim.Marker, item.ID, linksim.Marker))
		}
	}
	return 200, "[" + strings.Join(answer, ",") + "]"
}

// parts tells the receipts of all documents that are asked for.
func (c *company) parts(_ *http.Request, body string) (int, string) {
	var asked struct{ FlowIDs []string }
	if json.Unmarshal([]byte(body), &asked) != nil || strings.Contains(body, "nowhere") {
		return 400, `{"errorMessage":"单据不存在"}`
	}
	items := []string{}
	for _, id := range asked.FlowIDs {
		items = append(items, fmt.Sprintf(`{"flowId":%q,"attachmentList":[{"type":"flow.receipt","receiptUrls":[{"key":"r-%s.pdf","url":"https://store.example/r-%s.pdf?Signature=%s"}]}]}`,
			id, id, id, linksim.Marker))
	}
	return 200, `{"items":[` + strings.Join(items, ",") + `]}`
}

func TestProvider(t *testing.T) {
	c := startCompany(t)
	c.on(linksPath, c.lend)
	c.on(partsPath, c.parts)
	attachment := func(id, key, name string) any {
		return map[string]any{"key": key, "fileId": id, "fileName": name}
	}
	drive := []any{
		attachment("d1", `DP:{"fileId":"1","fileName":"a.jpg","fileSize":2985928,"fileType":"jpg"}`, ""),
		attachment("gone2", `DP:{"fileName":"b","fileType":"pdf","fileSize":3}`, ""),
	}
	c.add(
		paper{id: "many/1", files: []string{"a.pdf", "b.pdf", "gone.pdf", "picture.jpg"}},
		paper{id: "drive", kind: "loan", created: noon.AddDate(0, -2, 0), fields: map[string]any{"u_drive": drive}},
		paper{id: "paid", state: "paid", files: []string{"a.pdf"}},
		paper{id: "empty"}, paper{id: "deleted", deleted: true, files: []string{"x"}},
	)
	for i := range 150 {
		c.add(paper{id: fmt.Sprint(i), kind: "payment", created: noon.Add(time.Duration(i) * time.Second), files: []string{"x"}})
	}
	cfg := c.config()
	cfg.Thumbnails = true
	unknown := resolvertest.Want{Size: resolver.SizeUnknown}
	want := map[string]resolvertest.Want{
		"expense/2026-10/B-many/1 title/a.pdf":                   unknown,
		"expense/2026-10/B-many/1 title/b.pdf":                   unknown,
		"expense/2026-10/B-many/1 title/gone.pdf":                {Size: resolver.SizeUnknown, Err: resolver.ErrNotExist},
		"expense/2026-10/B-many/1 title/picture.jpg":             unknown,
		"expense/2026-10/B-many/1 title/.thumbnails/picture.jpg": unknown,
		"expense/2026-10/B-paid title/a.pdf":                     unknown,
		"expense/2026-10/B-paid title/receipts/r-paid.pdf":       unknown,
		"loan/2026-08/B-drive title/a.jpg":                       {Size: 2985928},
		"loan/2026-08/B-drive title/b.pdf":                       {Size: 3, Err: resolver.ErrPermission},
	}
	for i := range 150 {
		want[fmt.Sprintf("payment/2026-10/B-%d title/x", i)] = unknown
	}
	limits := ekuaibao.Unlimited(cfg)
	resolvertest.Run(t, resolvertest.Fixture{
		New:         func(*testing.T) resolver.Provider { return ekuaibao.New(cfg, limits) },
		Want:        want,
		UnknownDir:  "document/nowhere",
		UnknownFile: "file/nowhere/gone/key",
		Print:       []any{cfg, &cfg},
		Secrets:     []string{linksim.Marker},
	})
}

func TestConfig(t *testing.T) {
	good := ekuaibao.Config{CorpID: "corp", AppKey: resolver.NewSecret("k"), AppSecurity: resolver.NewSecret("s")}
	require.NoError(t, good.Validate())
	for name, spoil := range map[string]func(*ekuaibao.Config){
		"base_url":     func(c *ekuaibao.Config) { c.BaseURL = "nowhere" },
		"corp_id":      func(c *ekuaibao.Config) { c.CorpID = "" },
		"app_key":      func(c *ekuaibao.Config) { c.AppKey = resolver.Secret{} },
		"app_security": func(c *ekuaibao.Config) { c.AppSecurity = resolver.Secret{} },
		"types":        func(c *ekuaibao.Config) { c.Types = []string{"expense", "Loan"} },
		"states":       func(c *ekuaibao.Config) { c.States = []string{"done"} },
		"templates":    func(c *ekuaibao.Config) { c.Templates = []string{"a,b"} },
		"since":        func(c *ekuaibao.Config) { c.Since = -1 },
		"link_ttl":     func(c *ekuaibao.Config) { c.LinkTTL = 31 * time.Minute },
	} {
		c := good
		spoil(&c)
		assert.ErrorContains(t, c.Validate(), name+":")
	}
	other := good
	other.CorpID, other.BaseURL = "", "https://dd2.hosecloud.com/"
	require.NoError(t, other.Validate())
	account := ekuaibao.New(other, nil).Account()
	assert.Regexp(t, `^dd2\.hosecloud\.com/app-[0-9a-f]{16}$`, account, "the key may be secret")
}

// The limits of the package: five calls a second, one at a time.
func TestProvider_OneCallAtATime(t *testing.T) {
	c := startCompany(t)
	c.add(paper{id: "a", files: []string{"a"}})
	inside, most := 0, 0
	leave := make(chan struct{}, 100)
	c.on(linksPath, func(*http.Request, string) (int, string) {
		c.mu.Lock()
		inside++
		most = max(most, inside)
		c.mu.Unlock()
		<-leave
		c.mu.Lock()
		inside--
		c.mu.Unlock()
		return 200, `[]`
	})
	p := connect(t, c.config())
	ended := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
			ended <- err
		}()
	}
	for range 3 {
		leave <- struct{}{}
		require.NoError(t, <-ended)
	}
	assert.Equal(t, 1, most)
}
