package cli

import (
	"encoding"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// decoder turns the tables of one file into structs. It goes on after a
// problem, so that all of them are reported together.
type decoder struct {
	places
	file     string
	lines    lines
	problems []*problem
	warnings []string
}

var arrayIndex = regexp.MustCompile(`\[\d+\]`)

// at is the problem err with key; numbers of tables become lines.
func (d *decoder) at(key string, err error) *problem {
	return &problem{file: d.file, line: d.lines.of(key), key: arrayIndex.ReplaceAllString(key, ""), err: err}
}

func (d *decoder) fail(key string, err error) {
	d.problems = append(d.problems, d.at(key, err))
}

func (d *decoder) failf(key, format string, args ...any) {
	d.fail(key, fmt.Errorf(format, args...))
}

func (d *decoder) warnf(key, format string, args ...any) {
	d.warnings = append(d.warnings, d.at(key, fmt.Errorf(format, args...)).Error())
}

// written returns the first of keys that is in the file, else the last.
func (d *decoder) written(keys ...string) string {
	for _, key := range keys {
		if _, ok := d.lines[key]; ok {
			return key
		}
	}
	return keys[len(keys)-1]
}

// oneOf reports a value that is not one of those known.
func (d *decoder) oneOf(key, value string, known ...string) {
	if !slices.Contains(known, value) {
		d.failf(key, "%q is not one of them; %s", value, nearest(value, known))
	}
}

// resolvePath makes the path at key absolute.
func (d *decoder) resolvePath(key string, path *string) {
	abs, err := d.path(*path)
	if err != nil {
		d.fail(key, err)
		return
	}
	*path = abs
}

// table sets the fields of structs, given by pointer, from the keys of a
// table. A key that several of them have is set in each.
func (d *decoder) table(name string, table map[string]any, structs ...any) {
	fields := map[string][]any{}
	for _, s := range structs {
		for key, field := range fieldsOf(s) {
			fields[key] = append(fields[key], field)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		at := join(name, key)
		if len(fields[key]) == 0 {
			d.failf(at, "unknown; %s", nearest(key, slices.Collect(maps.Keys(fields))))
		}
		for _, field := range fields[key] {
			if err := d.set(at, field, table[key]); err != nil {
				d.fail(at, err)
				break
			}
		}
	}
}

// fieldsOf returns pointers to the fields of the struct that s points to, by
// their key in the file.
func fieldsOf(s any) map[string]any {
	fields := map[string]any{}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("toml"); key != "" && key != "-" {
			fields[key] = v.Field(i).Addr().Interface()
		}
	}
	return fields
}

// set puts a value as TOML has it into the variable that field points to. The
// error says what would be right.
func (d *decoder) set(key string, field, value any) error {
	switch field := field.(type) {
	case *bool:
		return assign(field, value, "true or false, without quotes")
	case *string:
		return assign(field, value, "a text in quotes")
	case *[]string:
		return setStrings(field, value)
	case *int:
		return setInteger(field, value, math.MinInt, math.MaxInt)
	case *uint32:
		return setInteger(field, value, 0, math.MaxUint32-1)
	case *Size:
		if n, ok := value.(int64); ok {
			value = fmt.Sprint(n)
		}
		return setText(field, value, errSize)
	case *time.Duration:
		return setText((*Duration)(field), value, errDuration)
	case *Duration:
		return setText(field, value, errDuration)
	case *Mode:
		return setText(field, value, errMode)
	case *resolver.Secret:
		return d.setSecret(key, field, value)
	default:
		panic(fmt.Sprintf("the configuration key %s has the unsupported type %T", key, field))
	}
}

func assign[T any](field *T, value any, want string) error {
	v, ok := value.(T)
	if !ok {
		return fmt.Errorf("want %s; found %s", want, kindOf(value))
	}
	*field = v
	return nil
}

func setInteger[T int | uint32](field *T, value any, low, high int64) error {
	var n int64
	if err := assign(&n, value, "a whole number, without quotes"); err != nil {
		return err
	}
	if n < low || n > high {
		return fmt.Errorf("want a number from %d to %d; found %d", low, high, n)
	}
	*field = T(n)
	return nil
}

func setText(field encoding.TextUnmarshaler, value any, want error) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("%w; found %s", want, kindOf(value))
	}
	if err := field.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%w; found %q", err, text)
	}
	return nil
}

func setStrings(field *[]string, value any) error {
	const want = `a list of texts, such as ["one", "two"]`
	var items []any
	if err := assign(&items, value, want); err != nil {
		return err
	}
	list := make([]string, len(items))
	for i, item := range items {
		if err := assign(&list[i], item, want); err != nil {
			return err
		}
	}
	*field = list
	return nil
}

func (d *decoder) setSecret(key string, field *resolver.Secret, value any) error {
	var text string
	if err := assign(&text, value, "env:NAME or file:PATH, in quotes"); err != nil {
		return err
	}
	secret, warning, err := d.secret(text)
	if err != nil {
		return err
	}
	if warning != "" {
		d.warnf(key, "%s", warning)
	}
	*field = secret
	return nil
}

// kindOf names the kind of a TOML value. The value itself is not shown, for it
// may be a secret in the wrong place.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "true or false"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	default:
		return "a list"
	}
}
