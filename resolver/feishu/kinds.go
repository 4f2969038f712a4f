package feishu

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

var (
	errDisabled = fmt.Errorf("the app is disabled, or not installed in the tenant: %w", resolver.ErrCredentials)
	errAddress  = fmt.Errorf("the address of this machine is not in the app's allow list: %w", resolver.ErrCredentials)
	errLogin    = fmt.Errorf("the user has to log in again: %w", resolver.ErrCredentials)
)

// gatewayKinds are the codes that any call may answer with, at any HTTP status.
// A token that is refused is told by 99991663 and its like, some of which also
// mean that the call takes no token of that kind.
var gatewayKinds = api.Kinds{
	"99991661": api.ErrToken,
	"99991663": api.ErrToken,
	"99991664": api.ErrToken,
	"99991665": api.ErrToken,
	"99991668": api.ErrToken,
	"99991671": api.ErrToken,
	"99991677": api.ErrToken,
	"99991669": errLogin,
	"99991662": errDisabled,
	"99991673": errDisabled,
	"99991401": errAddress,
	"99991400": resolver.ErrThrottled,
	"99991403": resolver.ErrQuota,
	"99992402": resolver.ErrRejected,
	"1500":     resolver.ErrUnavailable,
	"2200":     resolver.ErrUnavailable,
	"5000":     resolver.ErrUnavailable,
}

// scopeCodes say that a call lacks a scope, and what would help.
var scopeCodes = map[string]string{
	"99991672": "the app lacks a scope",
	"99991676": "the token lacks a scope",
	"99991679": "the user has not granted a scope, and has to log in again with it",
}

// maxScopes is how many scopes are named. Feishu lists all that would do.
const maxScopes = 5

// scopeName is how scopes look, so that nothing else gets into an error.
var scopeName = regexp.MustCompile(`^[a-z0-9_]{1,40}(:[a-z0-9_.]{1,60}){1,3}$`)

// judgeScopes names the scopes one of which a call needs.
func judgeScopes(_ int, code string, body []byte) error {
	says, ok := scopeCodes[code]
	if !ok {
		return nil
	}
	if scopes := missingScopes(body); len(scopes) > 0 {
		says += ", one of " + strings.Join(scopes, ", ")
	}
	return fmt.Errorf("%s: %w", says, resolver.ErrCredentials)
}

func missingScopes(body []byte) []string {
	var answer struct {
		Error struct {
			Violations []struct {
				Subject string `json:"subject"`
			} `json:"permission_violations"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil
	}
	var scopes []string
	for _, v := range answer.Error.Violations {
		if scopeName.MatchString(v.Subject) && !slices.Contains(scopes, v.Subject) && len(scopes) < maxScopes {
			scopes = append(scopes, v.Subject)
		}
	}
	return scopes
}
