package kdocs

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		code   string
		body   string
		want   error
	}{
		"well":                  {200, "", `{"code":0,"result":"ok","data":{"msg":"access_token"}}`, nil},
		"the day, in a 200":     {200, "1", `{"code":1,"result":"今日接口调用次数已达上限"}`, resolver.ErrQuota},
		"the day, in a 403":     {403, "1", `{"code":1,"msg":"Daily limit exceeded"}`, resolver.ErrQuota},
		"429 without a word":    {429, "", ``, resolver.ErrQuota},
		"429 of a gateway":      {429, "", "\n<html>too many</html>", nil},
		"429 of a rate":         {429, "1", `{"code":1,"result":"请求过于频繁"}`, nil},
		"token":                 {400, "1", `{"code":1,"hint":"AccessTokenInvalid"}`, api.ErrToken},
		"token, in Chinese":     {200, "1", `{"code":1,"message":"令牌已失效"}`, api.ErrToken},
		"authorisation is over": {200, "1", `{"code":1,"debug":"授权已过期"}`, api.ErrToken},
		"not authorised":        {403, "1", `{"code":1,"debug":"未授权访问该文件"}`, nil},
		"token of a file":       {400, "1", `{"code":1,"result":"invalid file_token"}`, nil},
		"no JSON":               {500, "", `token expired`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, judge(c.status, c.code, []byte(c.body)))
		})
	}
}
