package expiry

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// headerLife is how far the time in signed headers may be from the
	// server's (OSS, S3: RequestTimeTooSkewed).
	headerLife = 15 * time.Minute
	// headerGuess is the life of signed headers whose time is in no known
	// format.
	headerGuess = 10 * time.Minute
	// maxToken bounds what is decoded.
	maxToken = 16 << 10

	compactTime = "20060102T150405Z"
	httpTime    = "Mon, 02 Jan 2006 15:04:05 GMT"
)

// readers are the ways in which links tell their end. Each returns false if
// the link does not speak its way.
var readers = []func(fields) (claim, bool){
	unixEnd("expires"),   // OSS and S3 V1, GCS V2, KS3, CloudFront
	unixEnd("x-expires"), // byteimg
	datedLife("x-amz"),   // S3 V4 and its many likes
	datedLife("x-goog"),
	datedLife("x-oss"),
	datedLife("x-tos"),
	datedLife("x-obs"),
	bareLife("x-oss-expires", "x-oss-date"),
	signedHeader("x-oss-date"),
	signedHeader("x-amz-date"),
	azure,
	doubtfulEnd("e", decimal, "token"), // Qiniu
	doubtfulEnd("t", decimalOrHex, "sign", "signature", "sig", "us", "token"), // Tencent, Qiniu's CDN
	doubtfulEnd("txtime", decimalOrHex, "txsecret"),
	cos("q-sign-time"),
	cos("q-key-time"),
	aliyunCDN,
	cloudFrontPolicy,
	feishuCode,
	jwt,
}

// decimal reads Unix time in seconds or milliseconds.
func decimal(s string) (time.Time, bool) {
	n, err := strconv.ParseUint(s, 10, 62)
	switch {
	case err != nil:
		return time.Time{}, false
	case len(s) == 13:
		return time.UnixMilli(int64(n)), true
	case len(s) > 10:
		return time.Time{}, false
	default:
		return time.Unix(int64(n), 0), true
	}
}

// decimalOrHex reads Unix time in ten decimal digits or eight hexadecimal ones.
func decimalOrHex(s string) (time.Time, bool) {
	if len(s) != 8 {
		return decimal(s)
	}
	n, err := strconv.ParseUint(s, 16, 32)
	return time.Unix(int64(n), 0), err == nil
}

func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return time.Duration(n) * time.Second, err == nil
}

// date reads the formats in which signed times come.
func date(s string) (time.Time, bool) {
	for _, layout := range []string{compactTime, httpTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func unixEnd(name string) func(fields) (claim, bool) {
	return func(f fields) (claim, bool) {
		end, ok := decimal(f.values[name])
		return claim{end: end}, ok
	}
}

// doubtfulEnd reads a name that means many things: only beside one of the names
// of signatures, and only ends that are ahead.
func doubtfulEnd(name string, read func(string) (time.Time, bool), beside ...string) func(fields) (claim, bool) {
	return func(f fields) (claim, bool) {
		end, ok := read(f.values[name])
		return claim{end: end, doubtful: true}, ok && f.has(beside...)
	}
}

// datedLife reads a time of signing and the seconds from then on.
func datedLife(prefix string) func(fields) (claim, bool) {
	return func(f fields) (claim, bool) {
		start, ok := date(f.values[prefix+"-date"])
		life, ok2 := seconds(f.values[prefix+"-expires"])
		return claim{start: start, end: start.Add(life)}, ok && ok2
	}
}

// bareLife reads what stands without the time of signing: Unix time or seconds.
func bareLife(name, signed string) func(fields) (claim, bool) {
	return func(f fields) (claim, bool) {
		if f.has(signed) {
			return claim{}, false
		}
		if end, ok := decimal(f.values[name]); ok && plausible(end) {
			return claim{end: end}, true
		}
		life, ok := seconds(f.values[name])
		return claim{life: life}, ok
	}
}

// signedHeader reads the time of a signature that goes into the headers.
func signedHeader(name string) func(fields) (claim, bool) {
	return func(f fields) (claim, bool) {
		if !f.header || !f.has(name) {
			return claim{}, false
		}
		start, ok := date(f.values[name])
		if !ok {
			return claim{life: headerGuess}, true
		}
		return claim{start: start, end: start.Add(headerLife)}, true
	}
}

// azure reads a shared access signature; it need not tell the time of day.
func azure(f fields) (claim, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if end, err := time.Parse(layout, f.values["se"]); err == nil {
			return claim{end: end}, true
		}
	}
	return claim{}, false
}

// cos reads Tencent's "start;end".
func cos(name string) func(fields) (claim, bool) {
	return func(f fields) (claim, bool) {
		from, to, _ := strings.Cut(f.values[name], ";")
		return span(from, to)
	}
}

func span(from, to string) (claim, bool) {
	start, ok := decimal(from)
	end, ok2 := decimal(to)
	return claim{start: start, end: end}, ok && ok2
}

var aliyunKey = regexp.MustCompile(`^([0-9]{10})-[0-9A-Za-z]+-[0-9A-Za-z]+-[0-9A-Fa-f]{32}$`)

// aliyunCDN reads "time-random-user-md5"; with some settings the time is that
// of signing.
func aliyunCDN(f fields) (claim, bool) {
	m := aliyunKey.FindStringSubmatch(f.values["auth_key"])
	if m == nil {
		return claim{}, false
	}
	end, ok := decimal(m[1])
	return claim{end: end, doubtful: true}, ok
}

// feishuText is the undocumented inside of Feishu's code.
var feishuText = regexp.MustCompile(`^[0-9a-f]+_[0-9a-f]+_ID:[0-9]+_([0-9]+):([0-9]+)_V[0-9]+$`)

func feishuCode(f fields) (claim, bool) {
	m := feishuText.FindSubmatch(unbase64(f.values["code"]))
	if m == nil {
		return claim{}, false
	}
	return span(string(m[1]), string(m[2]))
}

var cloudFrontAlphabet = strings.NewReplacer("-", "+", "_", "=", "~", "/")

func cloudFrontPolicy(f fields) (claim, bool) {
	var policy struct {
		Statement []struct {
			Condition struct {
				DateLessThan struct {
					Time int64 `json:"AWS:EpochTime"`
				}
			}
		}
	}
	text := unbase64(cloudFrontAlphabet.Replace(f.values["policy"]))
	if json.Unmarshal(text, &policy) != nil || len(policy.Statement) != 1 {
		return claim{}, false
	}
	return claim{end: time.Unix(policy.Statement[0].Condition.DateLessThan.Time, 0)}, true
}

// jwt reads the earliest end of the signed tokens anywhere in the link.
func jwt(f fields) (claim, bool) {
	var first claim
	found := false
	read := func(text string) {
		end, ok := tokenEnd(text)
		if ok && plausible(end) && (!found || end.Before(first.end)) {
			first, found = claim{end: end}, true
		}
	}
	for _, value := range f.values {
		read(strings.TrimPrefix(value, "Bearer "))
	}
	for segment := range strings.SplitSeq(f.path, "/") {
		read(segment)
	}
	return first, found
}

func tokenEnd(text string) (time.Time, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !strings.HasPrefix(parts[0], "eyJ") {
		return time.Time{}, false
	}
	var told struct{ Exp float64 }
	if json.Unmarshal(unbase64(parts[1]), &told) != nil || told.Exp < 0 || told.Exp > float64(notAfter.Unix()) {
		return time.Time{}, false
	}
	return time.Unix(int64(told.Exp), 0), true
}

// unbase64 decodes either alphabet, padded or not, and returns nil for anything
// else.
func unbase64(s string) []byte {
	if len(s) > maxToken {
		return nil
	}
	s = strings.TrimRight(s, "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	text, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return text
}
