package ekuaibao

import (
	"encoding/base64"
	"encoding/json"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// drivePrefix begins the keys of files of a DingTalk drive; JSON follows.
const drivePrefix = "DP:"

func onDrive(key string) bool { return strings.HasPrefix(key, drivePrefix) }

// driveFile is what the key of a file of a DingTalk drive tells. The size may be
// that of an older version.
type driveFile struct {
	Name string  `json:"fileName"`
	Type string  `json:"fileType"`
	Size sizeKey `json:"fileSize"`
}

// sizeKey is a size as a number, or as a text; nothing else says anything.
type sizeKey struct {
	bytes int64
	told  bool
}

// UnmarshalJSON never fails: a key is not to hide its file.
func (s *sizeKey) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	*s = sizeKey{n, err == nil && n >= 0}
	return nil
}

// readDrive reads the key of a file of a DingTalk drive.
func readDrive(key string) driveFile {
	var f driveFile
	_ = json.Unmarshal([]byte(strings.TrimPrefix(key, drivePrefix)), &f) // what it does not tell is empty
	if f.Name != "" && f.Type != "" && path.Ext(f.Name) == "" {
		f.Name += "." + f.Type
	}
	return f
}

// How keys look, as far as samples show: "openapi<uuid>-<name>" for what came over
// the API, "<name>-<milliseconds>-<number>.<ext>" for what people uploaded, and
// "<uuid>-<base64>.pdf" for receipts.
var (
	apiKey     = regexp.MustCompile(`^openapi[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-(.+)$`)
	uploadKey  = regexp.MustCompile(`^(.+)-([0-9]{13})-[0-9]{1,3}(\.[^./]+)?$`)
	receiptKey = regexp.MustCompile(`^([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-([0-9A-Za-z+/=_-]+)(\.[A-Za-z0-9]+)$`)
)

// nameOf makes a name of a key, for what has no other.
func nameOf(key string) string {
	if onDrive(key) {
		if f := readDrive(key); f.Name != "" {
			return f.Name
		}
		return "DingTalk file"
	}
	key = key[strings.LastIndexByte(key, '/')+1:]
	if m := apiKey.FindStringSubmatch(key); m != nil {
		return m[1]
	}
	if m := uploadKey.FindStringSubmatch(key); m != nil {
		return m[1] + m[3]
	}
	if m := receiptKey.FindStringSubmatch(key); m != nil {
		if name := textOf(m[2]); name != "" {
			return strings.TrimSuffix(name, m[3]) + m[3]
		}
		return m[1] + m[3]
	}
	return key
}

// textOf decodes base64; empty for what is no text.
func textOf(encoded string) string {
	encoded = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(encoded, "="))
	text, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || !utf8.Valid(text) || strings.ContainsFunc(string(text), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return string(text)
}

// opening is before what was ever uploaded.
var opening = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)

// timeOf is when a file was uploaded, if its key tells.
func timeOf(key string) time.Time {
	m := uploadKey.FindStringSubmatch(key)
	if m == nil || onDrive(key) {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(m[2], 10, 64)
	t := time.UnixMilli(ms).UTC()
	if err != nil || t.Before(opening) || t.After(time.Now().Add(24*time.Hour)) {
		return time.Time{}
	}
	return t
}

// pictures are the extensions of files of which the API has small ones.
var pictures = map[string]bool{
	".jpg": true, ".jpeg": true, ".png": true, ".gif": true, ".bmp": true, ".webp": true,
	".tif": true, ".tiff": true, ".heic": true,
}

func isPicture(name string) bool { return pictures[strings.ToLower(path.Ext(name))] }
