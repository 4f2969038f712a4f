package expiry_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/expiry"
)

const never = int64(0)

// link is one with these addresses.
func link(urls ...string) resolver.Link {
	var l resolver.Link
	for _, u := range urls {
		l.URLs = append(l.URLs, resolver.NewSecret(u))
	}
	return l
}

func withHeader(l resolver.Link, pairs ...string) resolver.Link {
	l.Header = make(map[string]resolver.Secret)
	for i := 0; i < len(pairs); i += 2 {
		l.Header[pairs[i]] = resolver.NewSecret(pairs[i+1])
	}
	return l
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func token(payload string) string {
	return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".ZmFrZXNpZ25hdHVyZQ"
}

func feishu(inside string) string {
	return "https://internal-api-drive-stream.feishu.cn/space/api/box/stream/download/authcode/?code=" + inside
}

const feishuInside = "0123456789abcdef0123456789abcdef_fedcba9876543210fedcba9876543210_ID:7000000000000000001_1735689600:1735776000_V3"

func TestFromLink(t *testing.T) {
	const at = int64(1735689600) // 2025-01-01T00:00:00Z
	policy := func(s string) string {
		return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(b64(s))
	}
	for _, c := range []struct {
		name       string
		link       resolver.Link
		start, end int64
	}{
		{"OSS V1", link("https://ekuaibao.oss-cn-hangzhou.aliyuncs.com/a%2Fb.pdf?Expires=1735689600&OSSAccessKeyId=STS.FAKE&Signature=fake%3D&security-token=fake"), never, at},
		{"OSS V1 behind a domain", link("https://files-dd.ekuaibao.com/x/%E5%8F%91.pdf?OSSAccessKeyId=STS.FAKE&Expires=1735689600&Signature=fake"), never, at},
		{"S3 V1", link("https://b.s3.amazonaws.com/k?AWSAccessKeyId=FAKE&Signature=fake&Expires=1735689600"), never, at},
		{"KS3", link("https://ks3-cn-beijing.ksyuncs.com/b/k?KSSAccessKeyId=FAKE&Expires=1735689600&Signature=fake"), never, at},
		{"GCS V2", link("https://storage.googleapis.com/b/k?GoogleAccessId=fake&Expires=1735689600&Signature=fake"), never, at},
		{"CloudFront", link("https://d1.cloudfront.net/k?Expires=1735689600&Signature=fake&Key-Pair-Id=FAKE"), never, at},
		{"lower case", link("https://h/k?expires=1735689600&sig=fake"), never, at},
		{"upper case", link("https://h/k?EXPIRES=1735689600&sig=fake"), never, at},
		{"milliseconds", link("https://h/k?Expires=1735689600000"), never, at},
		{"S3 V4", link("https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=FAKE%2F20250101&X-Amz-Date=20250101T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=fake"), at, at + 600},
		{"S3 V4 in lower case", link("https://minio:9000/b/k?x-amz-expires=60&x-amz-date=20250101T000000Z&x-amz-signature=fake"), at, at + 60},
		{"GCS V4", link("https://storage.googleapis.com/b/k?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Date=20250101T000000Z&X-Goog-Expires=3600&X-Goog-Signature=fake"), at, at + 3600},
		{"OSS V4", link("https://b.oss-cn-hangzhou.aliyuncs.com/k?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20250101T000000Z&x-oss-expires=1800&x-oss-signature=fake"), at, at + 1800},
		{"TOS", link("https://b.tos-cn-beijing.volces.com/k?X-Tos-Date=20250101T000000Z&X-Tos-Expires=300&X-Tos-Signature=fake"), at, at + 300},
		{"OSS V2, Unix time", link("https://b.oss-cn-hangzhou.aliyuncs.com/k?x-oss-signature-version=OSS2&x-oss-expires=1735689600&x-oss-signature=fake"), never, at},
		{"x-oss-expires in seconds", resolver.Link{URLs: link("https://h/k?x-oss-expires=900").URLs, Obtained: time.Unix(at, 0)}, at, at + 900},
		{"the same by the server's clock", resolver.Link{URLs: link("https://h/k?x-oss-expires=900").URLs, Obtained: time.Unix(at, 0), ServerTime: time.Unix(at+600, 0)}, at + 600, at + 1500},
		{"DingTalk headers", withHeader(link("https://sh-dualstack.trans.dingtalk.com/yundisk0/fake.file"), "Authorization", "OSS FAKE:fake", "x-oss-date", "Wed, 01 Jan 2025 00:00:00 GMT"), at, at + 900},
		{"DingTalk headers, newer", withHeader(link("https://sh-dualstack.trans.dingtalk.com/yundisk0/fake.file"), "Authorization", "OSS4-HMAC-SHA256 fake", "X-Oss-Date", "20250101T000000Z"), at, at + 900},
		{"DingTalk headers, yet another", resolver.Link{URLs: link("https://h/f").URLs, Header: map[string]resolver.Secret{"x-oss-date": resolver.NewSecret("next Wednesday")}, Obtained: time.Unix(at, 0)}, at, at + 600},
		{"S3 headers", withHeader(link("https://h/k"), "X-Amz-Date", "20250101T000000Z", "Authorization", "AWS4-HMAC-SHA256 fake"), at, at + 900},
		{"Azure", link("https://a.blob.core.windows.net/c/b?sv=2022-11-02&st=2024-12-31T00%3A00%3A00Z&se=2025-01-01T00%3A00%3A00Z&sr=b&sp=r&sig=fake"), never, at},
		{"Azure, no seconds", link("https://a.blob.core.windows.net/c/b?se=2025-01-01T00:00Z&sig=fake"), never, at},
		{"Azure, a day", link("https://a.blob.core.windows.net/c/b?se=2025-01-01&sig=fake"), never, at},
		{"Azure, elsewhere", link("https://a.blob.core.windows.net/c/b?se=2025-01-01T08:00:00+08:00&sig=fake"), never, at},
		{"Qiniu", link("https://vipimg.ekuaibao.com/a.jpg?e=1735689600&token=FAKE:fake="), never, at},
		{"Qiniu after a style", link("https://vipimg.ekuaibao.com/a.jpg?imageView2/1/w/100&e=1735689600&token=FAKE:fake="), never, at},
		{"Tencent VOD, hex", link("https://v.vod2.myqcloud.com/d/a/b.mp4?t=67748580&us=fake&sign=fake"), never, at},
		{"Qiniu CDN, lower hex", link("https://h/k?sign=fake&t=6774858f"), never, at + 15},
		{"decimal t", link("https://h/k?sign=fake&t=1735689600"), never, at},
		{"Tencent live", link("https://h/live/s.flv?txSecret=fake&txTime=67748580"), never, at},
		{"byteimg", link("https://p3-approval-sign.byteimg.com/k~tplv-image.image?x-expires=1735689600&x-signature=fake"), never, at},
		{"COS", link("https://b.cos.ap-beijing.myqcloud.com/k?q-sign-algorithm=sha1&q-ak=FAKE&q-sign-time=1735689600%3B1735693200&q-key-time=1735689600%3B1735693200&q-signature=fake"), at, at + 3600},
		{"COS, bare semicolon", link("https://h/k?q-sign-time=1735689600;1735693200&q-signature=fake"), at, at + 3600},
		{"COS, the key ends first", link("https://h/k?q-sign-time=1735689600;1735693200&q-key-time=1735689600;1735690000"), at, at + 400},
		{"Aliyun CDN", link("https://h/k.mp4?auth_key=1735689600-0-0-0123456789abcdef0123456789abcdef"), never, at},
		{"CloudFront policy", link("https://d1.cloudfront.net/k?Policy=" + policy(`{"Statement":[{"Resource":"https://d1.cloudfront.net/k?","Condition":{"DateLessThan":{"AWS:EpochTime":1735689600}}}]}`) + "&Signature=fake"), never, at},
		{"Feishu", link(feishu(b64(feishuInside))), at, at + 86400},
		{"Feishu, escaped", link(feishu(strings.ReplaceAll(b64(feishuInside), "=", "%3D"))), at, at + 86400},
		{"Feishu, unpadded", link(feishu(strings.TrimRight(b64(feishuInside), "="))), at, at + 86400},
		{"JWT in the query", link("https://h/k?token=" + token(`{"sub":"x","iat":1735680000,"exp":1735689600}`)), never, at},
		{"JWT in the path", link("https://h/dl/" + token(`{"exp":1735689600.5}`) + "/file.pdf"), never, at},
		{"JWT in a header", withHeader(link("https://h/k"), "Authorization", "Bearer "+token(`{"exp":1735689600}`)), never, at},
		{"two ways: the first end", link("https://h/k?Expires=1735693200&token=" + token(`{"exp":1735689600}`)), never, at},
		{"two mirrors: the first end", link("https://a/k?Expires=1735693200", "https://b/k?Expires=1735689600"), never, at},
		{"repeated: the first", link("https://h/k?Expires=1735689600&Expires=1735693200"), never, at},

		{"no link", resolver.Link{}, never, never},
		{"nothing told", link("https://h/k?Signature=fake"), never, never},
		{"not an address", link("::%zz?%zz"), never, never},
		{"Expires in seconds", link("https://h/k?Expires=3600"), never, never},
		{"Expires too early", link("https://h/k?Expires=1400000000"), never, never},
		{"Expires too late", link("https://h/k?Expires=9999999999"), never, never},
		{"Expires in microseconds", link("https://h/k?Expires=1735689600000000"), never, never},
		{"Expires below nothing", link("https://h/k?Expires=-1735689600"), never, never},
		{"Expires with words", link("https://h/k?Expires=1735689600abc"), never, never},
		{"Expires of a fragment", link("https://h/k#?Expires=1735689600"), never, never},
		{"a path that looks like a query", link("https://h/Expires=1735689600"), never, never},
		{"S3 V4 without a date", link("https://h/k?X-Amz-Expires=600"), never, never},
		{"S3 V4 without a life", link("https://h/k?X-Amz-Date=20250101T000000Z"), never, never},
		{"S3 V4 for ever", link("https://h/k?X-Amz-Date=20250101T000000Z&X-Amz-Expires=2000000000"), never, never},
		{"S3 V4 for nothing", link("https://h/k?X-Amz-Date=20250101T000000Z&X-Amz-Expires=0"), never, never},
		{"S3 V4 on no day", link("https://h/k?X-Amz-Date=20251301T000000Z&X-Amz-Expires=600"), never, never},
		{"a letter e", link("https://h/k?e=1735689600"), never, never},
		{"a letter t", link("https://h/k?t=1735689600"), never, never},
		{"a cache buster t", link("https://h/k?t=12345&sign=fake"), never, never},
		{"t of a video", link("https://h/k?t=1m30s&sign=fake"), never, never},
		{"a search engine", link("https://h/k?se=google&sig=fake"), never, never},
		{"an OAuth code", link("https://h/cb?code=SplxlOBeZQQYbYS6WxSbIA"), never, never},
		{"Feishu backwards", link(feishu(b64("0a_0b_ID:1_1735776000:1735689600_V3"))), never, never},
		{"Feishu of milliseconds alone", link(feishu(b64("0a_0b_ID:1_1:2_V3"))), never, never},
		{"COS backwards", link("https://h/k?q-sign-time=1735693200;1735689600"), never, never},
		{"another auth_key", link("https://h/k?auth_key=1735689600-secret"), never, never},
		{"JWT without exp", link("https://h/k?token=" + token(`{"iat":1735689600}`)), never, never},
		{"JWT of nonsense", link("https://h/k?token=eyJhbGciOiJIUzI1NiJ9.e30.x"), never, never},
		{"JWT with words", link("https://h/k?token=" + token(`{"exp":"soon"}`)), never, never},
		{"JWT for ever", link("https://h/k?token=" + token(`{"exp":1e300}`)), never, never},
		{"dots", link("https://h/v1.2.3/k?v=1.2.3"), never, never},
		{"another policy", link("https://h/k?Policy=" + policy(`{"expiration":"2025-01-01T00:00:00Z"}`)), never, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, end, ok := expiry.FromLink(c.link)
			require.Equal(t, c.end != never, ok)
			if !ok {
				return
			}
			assert.Equal(t, c.end, end.Unix())
			if c.start == never {
				assert.Zero(t, start)
				return
			}
			assert.Equal(t, c.start, start.Unix())
		})
	}
}

func FuzzFromLink(f *testing.F) {
	f.Add("https://h/k?Expires=1735689600", "")
	f.Add("https://h/k?X-Amz-Date=20250101T000000Z&X-Amz-Expires=600", "20250101T000000Z")
	f.Add("https://h/k?x-oss-expires=900&t=67748580&sign=x", "Wed, 01 Jan 2025 00:00:00 GMT")
	f.Add("https://h/"+token(`{"exp":1735689600}`)+"?se=2025-01-01", "")
	f.Add(feishu(b64(feishuInside)), "q")
	f.Add("https://h/k?q-sign-time=1735689600;1735693200&auth_key=1735689600-0-0-0123456789abcdef0123456789abcdef", "")
	var book expiry.Book
	f.Fuzz(func(t *testing.T, address, date string) {
		l := withHeader(link(address), "x-oss-date", date)
		start, end, ok := expiry.FromLink(l)
		if ok {
			require.True(t, 2015 <= end.UTC().Year() && end.UTC().Year() < 2100, "%v", end)
			require.True(t, start.IsZero() || start.Before(end), "%v, %v", start, end)
		}
		deadline, source := book.Deadline(l)
		require.Equal(t, deadline.IsZero(), source == "none", fmt.Sprint(deadline))
	})
}
