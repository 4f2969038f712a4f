package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

func TestDo_Kinds(t *testing.T) {
	quotaOfThis := fmt.Errorf("that is enough: %w", resolver.ErrQuota)
	cfg := api.Config{
		Kinds: api.Kinds{
			"1061004": resolver.ErrPermission, "131005": resolver.ErrNotExist, "99991403": resolver.ErrQuota,
			"7": resolver.ErrNotExist, "412": resolver.ErrNotExist,
			"E40x": resolver.ErrNotExist,
		},
		Judge: func(status int, _ string, body []byte) error {
			if strings.Contains(string(body), "gone fishing") && status == http.StatusOK {
				return resolver.ErrUnsupported
			}
			return nil
		},
	}
	endpoint := &api.Endpoint{
		Name: "things.get", Method: http.MethodGet, Path: "/things",
		Kinds: api.Kinds{"7": quotaOfThis, "422": resolver.ErrUnsupported},
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   error
		says   string
	}{
		{"bare array", 200, `[]`, nil, ""},
		{"envelope", 200, `{"code": 0, "msg": "ok"}`, nil, ""},
		{"envelope with the status as text", 200, `{"code": "200"}`, nil, ""},
		{"code at 200", 200, `{"code": 1061004, "msg": "s3cr3t"}`, resolver.ErrPermission, "things.get: status 200, code 1061004: permission denied by the provider"},
		{"code at 400", 400, `{"code": 131005, "msg": "s3cr3t"}`, resolver.ErrNotExist, "things.get: status 400, code 131005: does not exist"},
		{"code as text", 403, `{"errorCode": "99991403"}`, resolver.ErrQuota, ""},
		{"code of the endpoint first", 200, `{"errcode": 7}`, quotaOfThis, "things.get: status 200, code 7: that is enough: quota of the provider is spent"},
		{"status of the table", 412, `{"errorMessage": "s3cr3t"}`, resolver.ErrNotExist, ""},
		{"status of the endpoint", 422, `s3cr3t`, resolver.ErrUnsupported, ""},
		{"what the judge says", 200, `{"text": "gone fishing"}`, resolver.ErrUnsupported, ""},
		{"unknown code at 200", 200, `{"code": 123, "msg": "s3cr3t"}`, resolver.ErrUnavailable, "things.get: status 200, code 123: unavailable"},
		{"code that may be anything", 200, `{"code": "s3cr3t"}`, resolver.ErrUnavailable, "things.get: status 200: unavailable"},
		{"code that is a name", 200, `{"code": "NotOpen.Yet"}`, resolver.ErrUnavailable, "things.get: status 200, code NotOpen.Yet: unavailable"},
		{"code that is known", 200, `{"code": "E40x"}`, resolver.ErrNotExist, "things.get: status 200, code E40x: does not exist"},
		{"code that is an object", 200, `{"code": {"s3cr3t": 1}}`, resolver.ErrUnavailable, "things.get: status 200: unavailable"},
		{"401 in odd words", 401, `{"message": "s3cr3t timeout, try again"}`, resolver.ErrCredentials, "things.get: status 401: token refused: credentials refused: permission denied by the provider"},
		{"403 for now", 403, `{"message": "s3cr3t, try again later"}`, resolver.ErrUnavailable, ""},
		{"too many ids, in words", 200, `The request parameter exceeds 100`, resolver.ErrPermission, ""},
		{"code that is a text", 200, `{"code": "s3cr3t and more"}`, resolver.ErrUnavailable, ""},
		{"400", 400, `{"message": "s3cr3t"}`, resolver.ErrRejected, "things.get: status 400: request rejected: permission denied by the provider"},
		{"400 without a body", 400, ``, resolver.ErrRejected, ""},
		{"401", 401, `{}`, resolver.ErrCredentials, ""},
		{"403", 403, `{"message": "s3cr3t"}`, resolver.ErrPermission, ""},
		{"403 of a gateway", 403, `<html>s3cr3t`, resolver.ErrUnavailable, ""},
		{"404", 404, `s3cr3t`, resolver.ErrNotExist, ""},
		{"404 of a gateway", 404, "\n<!DOCTYPE html><title>s3cr3t", resolver.ErrUnavailable, ""},
		{"405", 405, `s3cr3t`, resolver.ErrUnavailable, ""},
		{"410", 410, ``, resolver.ErrNotExist, ""},
		{"413", 413, ``, resolver.ErrRejected, ""},
		{"429", 429, `s3cr3t`, resolver.ErrThrottled, ""},
		{"500", 500, `{"code": 1}`, resolver.ErrUnavailable, ""},
		{"503", 503, `s3cr3t`, resolver.ErrUnavailable, ""},
		{"throttled at 400", 400, `{"code": 99991400, "msg": "request trigger frequency limit"}`, resolver.ErrThrottled, "things.get: status 400, code 99991400: rate limited by the provider"},
		{"throttled at 200", 200, `{"code": 1254290, "msg": "TooManyRequest"}`, resolver.ErrThrottled, ""},
		{"page at 200", 200, `<html>s3cr3t`, resolver.ErrUnavailable, ""},
		{"sentence at 200", 200, `参数个数不能超过100 s3cr3t`, resolver.ErrUnavailable, ""},
		{"nothing at 200", 200, ``, resolver.ErrUnavailable, ""},
		{"cut JSON", 200, `{"id": "s3cr3t`, resolver.ErrUnavailable, ""},
		{"other JSON", 200, `{"n": "s3cr3t"}`, resolver.ErrUnavailable, "things.get: answer is not the JSON of the API: unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := serve(t, cfg, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			var out any = new(struct{ N int })
			if strings.HasPrefix(c.body, "[") {
				out = new([]int)
			}
			_, err := client.Do(t.Context(), api.Call{Endpoint: endpoint}, out)
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				return
			}
			if c.says != "" {
				assert.EqualError(t, err, c.says)
			}
			var told *api.Error
			if errors.As(err, &told) {
				assert.Equal(t, c.status, told.Status)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, told)} {
				assert.NotContains(t, text, marker)
			}
		})
	}
}
