package verdict

import (
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// meaning is what a code says. A loose one is used for many things, and the
// words beside it may say more.
type meaning struct {
	class resolver.Class
	loose bool
}

// codes are the codes of the services at hand, in lower case.
var codes = lowered(map[resolver.Class]string{
	// Object stores: the signature, or the credential behind it, is over.
	resolver.Expired: `RequestTimeTooSkewed ExpiredToken TokenRefreshRequired SecurityTokenExpired InvalidSecurityToken
		RequestExpired URLExpired InvalidAccessKeyId 0002-00000069`,
	resolver.Denied: `SignatureDoesNotMatch AllAccessDisabled AccountProblem UserDisable InvalidObjectState
		AuthorizationHeaderMalformed AuthorizationPermissionMismatch InsufficientAccountPermissions
		99991661 99991662 99991663 99991664 99991665 99991668 99991669 99991671 99991672 99991673 99991676
		99991677 99991679 99991401 99992402 1061002 1061004 1061005 131006 1254302 1254303 1234017 1310213 1770032
		20001 20007 invalid_grant invalid_client invalid_token unauthorized_client
		Forbidden.AccessDenied.AccessTokenPermissionDenied InvalidAuthentication orgAuthLevelNotEnough`,
	resolver.Gone: `NoSuchKey NoSuchBucket NoSuchVersion BlobNotFound ContainerNotFound ResourceNotFound itemNotFound
		SymlinkTargetNotExist 1061003 1061007 131005 1254040 1254041 1230006 1234034 1235013 1310214 1310249
		1770002 1770003`,
	// Spent quotas too: they say not to ask, and are told apart by the code.
	resolver.Throttled: `SlowDown TooManyRequests RequestLimitExceeded RequestThrottled Throttling Throttling.User
		ThrottlingException QpsLimitExceeded DownloadTrafficRateLimitExceeded TotalTrafficRateLimitExceeded
		activityLimitReached 99991400 99991403 1254290 1061045 1063006 90002 90018 90019 90020
		Forbidden.AccessDenied.QpsLimitForApi Forbidden.AccessDenied.QpsLimitForAppkeyAndApi
		Forbidden.AccessDenied.ApiCountLimitForOrg`,
	resolver.Temporary: `InternalError InternalServerError ServiceUnavailable ServerBusy OperationTimedOut RequestTimeout
		2200 1500 5000 1061001 1061006 1064230 1254607 131001`,
	resolver.Wrong: `InvalidRange PreconditionFailed ConditionNotMet`,
}, "AccessDenied AuthenticationFailed AuthorizationFailure InvalidArgument InvalidRequest Forbidden Unauthorized")

// lowered makes the table from the names of each class, and from those that
// are loose.
func lowered(classes map[resolver.Class]string, loose string) map[string]meaning {
	table := make(map[string]meaning)
	for class, names := range classes {
		for name := range strings.FieldsSeq(strings.ToLower(names)) {
			table[name] = meaning{class: class}
		}
	}
	for name := range strings.FieldsSeq(strings.ToLower(loose)) {
		table[name] = meaning{resolver.Denied, true}
	}
	return table
}

// codeClass is what the codes say, if they are known.
func codeClass(n notice) (resolver.Class, bool) {
	if m, ok := codes[strings.ToLower(n.detail)]; ok {
		return m.class, true
	}
	m, ok := codes[strings.ToLower(n.code)]
	if m.loose {
		switch class := wordClass(n.text); class {
		case resolver.Expired, resolver.UsedUp, resolver.Throttled:
			return class, true
		}
	}
	return m.class, ok
}

func classOf(n notice) resolver.Class {
	if class, ok := codeClass(n); ok {
		return class
	}
	return wordClass(n.text)
}

// words are what services write, in lower case, by the class that it means. The
// first match counts.
var words = []struct {
	class resolver.Class
	parts []string
}{
	{resolver.Throttled, []string{
		"too many requests", "too many calls", "rate limit", "ratelimit", "frequency limit", "too frequent", "too fast", "throttl",
		"slow down", "qps limit", "qps exceed", "请求过于频繁", "请求太频繁", "访问频繁", "操作频繁", "限流", "调用次数超",
	}},
	{resolver.UsedUp, []string{
		"download times", "download limit", "downloads exceeded", "number of downloads", "used up", "already been used", "has been used", "下载次数", "使用次数",
	}},
	{resolver.Denied, []string{ // an API's token: the link is not to blame
		"access token", "access_token", "accesstoken", "tenant token", "user token", "refresh token",
	}},
	{resolver.Expired, []string{
		"expired", "out of date", "not valid in the specified time frame", "too skewed", "过期", "已失效", "超时失效",
	}},
	{resolver.Denied, []string{
		"bad token", "invalid token", "auth failed", "access denied", "permission denied", "forbidden", "unauthorized", "no permission",
		"signature", "no api permission", "无权限", "没有权限", "不允许",
	}},
	{resolver.Gone, []string{
		"not found", "no such file", "no such key", "does not exist", "doesn't exist", "not exist", "been deleted", "不存在", "已删除",
	}},
	{resolver.Denied, []string{"the request parameter exceeds"}}, // ekuaibao, of more ids than a call takes
	{resolver.Temporary, []string{
		"internal error", "internal server error", "timeout", "timed out", "try again", "service unavailable", "系统繁忙", "系统异常", "稍后",
	}},
}

// wordClass is what the words mean, 0 if they are not known.
func wordClass(text string) resolver.Class {
	for _, w := range words {
		for _, part := range w.parts {
			if strings.Contains(text, part) {
				return w.class
			}
		}
	}
	return 0
}

// maxComplaint is the length of a whole answer that can be one complaint.
const maxComplaint = 160

// complaint reports whether text is nothing but the few words of a service that
// does not serve.
func complaint(text string) bool {
	if len(text) > maxComplaint || strings.ContainsAny(text, "\n") {
		return false
	}
	for _, begin := range []string{"too many requests", "rate limit", "the request parameter exceeds", "request has expired", "access denied", "link expired"} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}
