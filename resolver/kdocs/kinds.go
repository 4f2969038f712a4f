package kdocs

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// commonKinds are the codes that are known. The table of them is not public; what
// is not here is told by the HTTP status and by words.
var commonKinds = api.Kinds{
	"20007": api.ErrToken,
	"40001": resolver.ErrPermission,
	"40002": errKey,
}

// judge tells answers that refuse the token, and those that say that the calls of
// the day are spent: the codes of both are not public.
func judge(status int, code string, body []byte) error {
	if code == "" && status < http.StatusBadRequest {
		return nil
	}
	text := wordsOf(body)
	switch {
	case says(text, "今日", "当日", "每日", "today", "daily", "per day") && says(text, "上限", "超", "exceed", "limit", "quota"):
		return resolver.ErrQuota
	case status == http.StatusTooManyRequests && !isPage(body) && !says(text, "频", "frequen", "qps", "per second", "too fast", "每秒", "每分钟"):
		// No rates are published, only calls a day: there is nothing else that it
		// could mean. A page is of a gateway on the way.
		return resolver.ErrQuota
	case says(text, "accesstoken", "access_token", "access token", "令牌"):
		return api.ErrToken
	case says(text, "token", "授权", "登录") && says(text, "expire", "invalid", "过期", "失效", "无效") && !says(text, "file_token", "file token", "filetoken"):
		return api.ErrToken
	}
	return nil
}

func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// wordsOf is what an answer says of itself, in lower case; the fields differ by
// endpoint.
func wordsOf(body []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	var words []string
	for _, name := range []string{"result", "msg", "message", "hint", "debug"} {
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			words = append(words, strings.ToLower(text))
		}
	}
	return strings.Join(words, "\n")
}

// says reports whether one of the parts is in text.
func says(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}
