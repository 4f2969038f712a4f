package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

const (
	hesiSecret    = linksim.Marker + "-security"
	hesiSecretEnv = "EKUAIBAO_APP_SECURITY"
)

// hesi is a company of ekuaibao that answers what listing and reading ask. Its
// files lie in two stores: those that are signed in the address, and those of a
// DingTalk drive, which are signed in headers.
type hesi struct {
	*httptest.Server
	store, drive *linksim.Origin
	files        map[string]linksim.Content // by path below the provider

	mu        sync.Mutex // guards the following
	life      time.Duration
	driveShut bool
	papers    []hesiPaper
	calls     map[string]int // by the last part of the path
	pages     int            // listings of more than one document
	items     []int          // of each call for links
	mixed     int            // calls for links of both kinds
}

// hesiPaper is a document as it is listed.
type hesiPaper struct {
	created time.Time
	text    map[string]any
}

// startHesi starts a company without documents.
func startHesi(tb testing.TB) *hesi {
	tb.Helper()
	h := &hesi{
		store: startOrigin(tb), drive: startOrigin(tb), files: make(map[string]linksim.Content),
		calls: make(map[string]int), life: 30 * time.Minute,
	}
	h.Server = httptest.NewServer(h)
	tb.Cleanup(h.Close)
	return h
}

// onDrive is the name of a file that is to lie in a DingTalk drive.
func onDrive(name string) bool { return strings.HasPrefix(name, "dd") }

// add adds an expense of a month of 2026 with files of these names and sizes.
func (h *hesi) add(month int, files map[string]int64) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.papers)
	flow, code := fmt.Sprintf("ID_%d", n), fmt.Sprintf("B%05d", n)
	created := time.Date(2026, time.Month(month), 3, 4, 0, n%3600, 0, time.UTC)
	dir := fmt.Sprintf("expense/2026-%02d/%s expense", month, code)
	attachments := []any{}
	for name, size := range files {
		id := fmt.Sprintf("%s-%s", flow, name)
		content := linksim.Pattern(uint64(len(h.files)), size)
		h.files[path.Join(dir, name)] = content
		origin, key := h.store, "key of "+id
		if onDrive(name) {
			origin = h.drive
			key = fmt.Sprintf(`DP:{"fileId":"d%s","fileName":%q,"fileSize":%d,"fileType":"bin","spaceId":"1"}`, id, name, size)
		}
		origin.Put(linksim.Object{ID: id, Path: id, Content: content})
		attachments = append(attachments, map[string]any{"key": key, "fileId": id, "fileName": name})
	}
	h.papers = append(h.papers, hesiPaper{created, map[string]any{
		"id": flow, "formType": "expense", "state": "approving", "active": true,
		"createTime": created.UnixMilli(), "updateTime": created.UnixMilli(),
		"form": map[string]any{"code": code, "title": "expense", "attachments": attachments},
	}})
	return dir
}

// ServeHTTP is part of [http.Handler].
func (h *hesi) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls[path.Base(r.URL.Path)]++
	status, answer := http.StatusNotFound, any(nil)
	switch {
	case r.URL.Path == "/api/openapi/v1/auth/getAccessToken":
		status, answer = 200, map[string]any{"value": map[string]any{
			"accessToken": token + ":corp", "expireTime": time.Now().Add(2 * time.Hour).UnixMilli(), "corporationId": "corp",
		}}
	case r.URL.Query().Get("accessToken") != token+":corp":
		status, answer = 403, map[string]any{"errorMessage": "accessToken"}
	case r.URL.Path == "/api/openapi/v1.1/docs/getApplyList":
		status, answer = h.list(r)
	case r.URL.Path == "/api/openapi/v2/attachment/downloadurls":
		status, answer = h.links(r)
	}
	text, _ := json.Marshal(answer)
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

func (h *hesi) list(r *http.Request) (int, any) {
	query := r.URL.Query()
	start, _ := strconv.Atoi(query.Get("start"))
	count, _ := strconv.Atoi(query.Get("count"))
	china := time.FixedZone("", 8*60*60)
	from, err := time.ParseInLocation(time.DateTime, query.Get("startDate"), china)
	to, err2 := time.ParseInLocation(time.DateTime, query.Get("endDate"), china)
	if query.Get("type") != "expense" || err != nil || err2 != nil || count < 1 || count > 100 || query.Get("active") != "true" {
		return 400, map[string]any{"errorMessage": "参数type无法识别"}
	}
	if count > 1 {
		h.pages++
	}
	var all []hesiPaper
	for _, p := range h.papers {
		if !p.created.Before(from) && !p.created.After(to) {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b hesiPaper) int {
		if query.Get("orderByType") == "desc" {
			return b.created.Compare(a.created)
		}
		return a.created.Compare(b.created)
	})
	items := []any{}
	for _, p := range all[min(start, len(all)):min(start+count, len(all))] {
		items = append(items, p.text)
	}
	return 200, map[string]any{"count": len(all), "items": items}
}

func (h *hesi) links(r *http.Request) (int, any) {
	var asked []struct {
		ID, Key    string
		Expiration int
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked) > 100 {
		return 400, nil
	}
	h.items = append(h.items, len(asked))
	answer, drives := []any{}, 0
	for _, item := range slices.Backward(asked) { // the order is not promised
		made := map[string]any{"id": item.ID, "key": item.Key}
		if !strings.HasPrefix(item.Key, "DP:") {
			made["url"], _ = h.store.Link(item.ID, linksim.Terms{Lifetime: min(h.life, time.Duration(item.Expiration)*time.Second)})
			answer = append(answer, made)
			continue
		}
		if drives++; h.driveShut {
			continue
		}
		signed := time.Now().Add(h.life - 15*time.Minute).UTC()
		address, header := h.drive.Link(item.ID, linksim.Terms{
			Lifetime: min(h.life, 15*time.Minute), HideExpires: true,
			Header: http.Header{"Authorization": {"OSS id:{signature}"}, "X-Oss-Date": {signed.Format(http.TimeFormat)}},
		})
		made["url"] = address
		made["headers"] = map[string]any{"Authorization": header.Get("Authorization"), "x-oss-date": header.Get("X-Oss-Date")}
		answer = append(answer, made)
	}
	if drives > 0 && drives < len(asked) {
		h.mixed++
	}
	return 200, answer
}

// linkCalls is how many calls for links there were, none of them mixed.
func (h *hesi) linkCalls(tb testing.TB) int {
	tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	assert.Zero(tb, h.mixed, "links of a drive are asked for apart")
	return h.calls["downloadurls"]
}

func (h *hesi) pagesListed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pages
}

// mountHesi mounts the company alone and returns its directory.
func mountHesi(tb testing.TB, h *hesi, s settings, more ...string) (*process, string) {
	tb.Helper()
	s.providers = append(s.providers, fmt.Sprintf("name = \"hesi\"\ntype = \"ekuaibao\"\nbase_url = %q\ncorp_id = \"corp\"\napp_key = \"env:%s\"\napp_security = \"env:%s\"\n",
		h.URL, hesiSecretEnv, hesiSecretEnv)+"insecure_hosts = [\"127.0.0.1\"]\n"+strings.Join(more, "\n"))
	s.env = append(s.env, hesiSecretEnv+"="+hesiSecret)
	p := mount(tb, s)
	return p, filepath.Join(p.dir, "hesi")
}

// requireOnlyGets wants no HEAD, and no request that a store had to refuse.
func (h *hesi) requireOnlyGets(tb testing.TB) {
	tb.Helper()
	for _, origin := range []*linksim.Origin{h.store, h.drive} {
		counts := origin.Counts()
		require.Zero(tb, counts.Heads)
		require.Zero(tb, counts.BadHeaders)
	}
}
