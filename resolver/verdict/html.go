package verdict

import (
	"bytes"
	"regexp"
	"strings"
)

// isHTML reports whether the body begins as a page does.
func isHTML(body []byte) bool {
	start := strings.ToLower(string(body[:min(len(body), 512)]))
	for strings.HasPrefix(start, "<!--") || strings.HasPrefix(start, "<?xml") {
		_, rest, ok := strings.Cut(start, ">")
		if !ok {
			return false
		}
		start = strings.TrimLeft(rest, " \t\r\n")
	}
	for _, tag := range []string{"<!doctype html", "<!doctypehtml", "<html", "<head", "<body", "<script", "<title", "<meta"} {
		if strings.HasPrefix(start, tag) {
			return true
		}
	}
	return false
}

var (
	title    = regexp.MustCompile(`(?is)<title[^>]*>([^<]{1,200})`)
	password = regexp.MustCompile(`(?i)<input[^>]+type\s*=\s*["']?password\b`)
	// toLogin is a page that only leads to another one, to log in there.
	toLogin = regexp.MustCompile(`(?i)(http-equiv\s*=\s*["']?refresh|location(\.href)?\s*=|location\.replace)[^>]{0,80}\b(login|signin|passport|sso|portal|authorize)\b`)
)

// marks are what only firewalls and walled networks put into their pages.
var marks = []string{
	"cf-browser-verification", "cf_chl_", "cf-chl-", "/cdn-cgi/challenge-platform", // Cloudflare
	"acw_sc__v2", "errors.aliyun.com", "_____tmd_____", "/_sec/cp_challenge", // Aliyun, Akamai
	"awswafintegration", "edgeone_waf", "waf.tencent", // AWS, Tencent
	"wispaccessgatewayparam", // a wireless network that wants a login
}

// readHTML reads a page: its title, and whether it is one to log in at or of a
// firewall.
func readHTML(body []byte) notice {
	var n notice
	if m := title.FindSubmatch(body); m != nil {
		n.text = string(m[1])
	}
	lower := bytes.ToLower(body)
	for _, mark := range marks {
		if bytes.Contains(lower, []byte(mark)) {
			n.challenge = true
		}
	}
	n.login = password.Match(body) || toLogin.Match(body)
	return n
}
