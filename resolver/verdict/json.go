package verdict

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const (
	// maxFields is how many fields an envelope has at most, and maxCut how
	// long one may be of which the end is not there; other objects are taken
	// for content.
	maxFields = 12
	maxCut    = 4 << 10
)

// readJSON reads the scalar fields of an object, and those of an object "error"
// within it.
func readJSON(body []byte) notice {
	e := envelope{fields: make(map[string]string)}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	_, _ = d.Token() // the brace
	whole := e.scan(d, "")
	rest := bytes.TrimSpace(body[d.InputOffset():])
	n := e.notice()
	n.clear = n.clear && e.count <= maxFields && (whole && len(rest) == 0 || !whole && len(body) < maxCut)
	return n
}

// envelope is an object in which services answer.
type envelope struct {
	fields map[string]string // names in lower case; true and false as such
	count  int
}

// scan takes the fields up to the end of the object, and is false if it does
// not get there.
func (e *envelope) scan(d *json.Decoder, within string) bool {
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return false
		}
		name = within + strings.ToLower(name)
		if within == "" {
			e.count++
		}
		value, err := d.Token()
		if err != nil {
			return false
		}
		switch value := value.(type) {
		case json.Delim:
			if name == "error" && value == '{' {
				e.fields[name] = "{}"
				ok = e.scan(d, "error.")
			} else {
				ok = skip(d)
			}
			if !ok {
				return false
			}
		case string:
			e.fields[name] = value
		case json.Number:
			e.fields[name] = value.String()
		case bool:
			e.fields[name] = strconv.FormatBool(value)
		}
	}
	_, err := d.Token() // the closing brace
	return err == nil
}

// skip goes past a value whose opening was read.
func skip(d *json.Decoder) bool {
	for depth := 1; depth > 0; {
		t, err := d.Token()
		if err != nil {
			return false
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return true
}

var (
	codeFields = []string{"code", "errcode", "errorcode", "error_code", "err_code", "error.code", "error.status", "errno", "ret"}
	textFields = []string{"msg", "message", "errmsg", "errormessage", "error_msg", "error_message", "error_description", "err_msg", "error.message", "hint", "result", "reason", "detail"}
)

// notice says what the fields mean as an answer.
func (e *envelope) notice() notice {
	if _, ok := e.fields["punish"]; ok {
		return e.wall()
	}
	var n notice
	for _, name := range codeFields {
		n.code = cmp.Or(n.code, e.fields[name])
	}
	for _, name := range textFields {
		n.text += e.fields[name] + "\n"
	}
	worded := strings.TrimSpace(n.text) != ""
	fault := e.fields["error"]
	if fault == "false" || fault == "0" {
		fault = ""
	}
	n.text += fault
	_, known := codes[strings.ToLower(n.code)]
	_, err := strconv.ParseInt(n.code, 10, 64)
	coded := n.code != "" && !fine(n.code) && (err == nil || known)
	n.clear = coded && worded || fault != "" && e.count <= 4 || e.fields["success"] == "false" && worded
	if n.code == "" && !strings.Contains(fault, " ") && fault != "{}" {
		n.code = fault // as OAuth has it
	}
	if fine(n.code) {
		n.code = ""
	}
	return n
}

// wall is the answer of DingTalk's firewall to too many calls; the wait is in
// minutes.
func (e *envelope) wall() notice {
	minutes, _ := strconv.ParseUint(e.fields["wait"], 10, 8)
	return notice{
		code: e.fields["status"], text: "too many requests", clear: true,
		wait: bounded(time.Duration(minutes) * time.Minute),
	}
}

// fine reports whether the code says that nothing is wrong.
func fine(code string) bool {
	switch strings.ToLower(code) {
	case "0", "200", "ok", "success":
		return true
	}
	return false
}
