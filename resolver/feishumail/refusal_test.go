package feishumail_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishumail"
)

func TestProvider_MissingBodyScope(t *testing.T) {
	s, cfg := start(t)
	put(s, "x", noon, "a")
	s.AddApp(feishusim.App{ID: cfg.AppID, Secret: cfg.AppSecret.Reveal(), Scopes: without(bodyScope), DataRange: []string{mailbox}})
	p := connect(t, cfg)
	_, err := p.List(t.Context(), inbox, "")
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, bodyScope)
	_, err = p.Check(t.Context())
	require.ErrorIs(t, err, resolver.ErrCredentials)
}

func TestProvider_MissingSubjectScope(t *testing.T) {
	s, cfg := start(t)
	put(s, "x", noon, "a")
	s.AddApp(feishusim.App{ID: cfg.AppID, Secret: cfg.AppSecret.Reveal(), Scopes: without(subjectScope), DataRange: []string{mailbox}})
	p := connect(t, cfg)
	entries, _ := list(t, p, inbox)
	assert.Equal(t, []string{"2026-10-08 1200 (no subject)"}, names(entries))
	lines, err := p.Check(t.Context())
	require.NoError(t, err)
	assert.Contains(t, lines[len(lines)-1], subjectScope)
}

func without(scope string) []string {
	var left []string
	for _, s := range scopes {
		if s != scope {
			left = append(left, s)
		}
	}
	return left
}

func TestProvider_Refused(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*feishusim.Server, *feishumail.Config)
		says  string
	}{
		{"wrong secret", func(_ *feishusim.Server, cfg *feishumail.Config) {
			cfg.AppSecret = resolver.NewSecret("wrong-" + feishusim.Marker)
		}, "app_secret"},
		{"no data range", func(s *feishusim.Server, cfg *feishumail.Config) {
			s.AddApp(feishusim.App{ID: cfg.AppID, Secret: cfg.AppSecret.Reveal(), Scopes: scopes})
		}, "data range"},
		{"no scope", func(s *feishusim.Server, cfg *feishumail.Config) {
			s.AddApp(feishusim.App{ID: cfg.AppID, Secret: cfg.AppSecret.Reveal(), DataRange: []string{mailbox}})
		}, "mail:user_mailbox.folder:read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, cfg := start(t)
			c.spoil(s, &cfg)
			_, err := connect(t, cfg).List(t.Context(), resolver.Root, "")
			require.ErrorIs(t, err, resolver.ErrCredentials)
			assert.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), feishusim.Marker)
		})
	}
}

// settled is the age from which on a token that is refused is replaced: another
// one would be refused, too, before.
const settled = 5100 * time.Millisecond

func TestProvider_TokensRevokedInMidWalk(t *testing.T) {
	t.Parallel()
	s, cfg := start(t)
	for i := range 60 {
		put(s, fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute), "a")
	}
	p := connect(t, cfg)
	page, err := p.List(t.Context(), inbox, "")
	require.NoError(t, err)
	time.Sleep(settled)
	s.RevokeTokens()
	for page.Next != "" {
		page, err = p.List(t.Context(), inbox, page.Next)
		require.NoError(t, err)
	}
	assert.Equal(t, 2, s.Counts(feishusim.TenantToken).Calls)
}

func TestProvider_FailedLinkCalls(t *testing.T) {
	s, cfg := start(t)
	put(s, "x", noon, "a")
	for _, printed := range []bool{true, false} {
		s.SetLinkErrorsAsPrinted(printed)
		p := connect(t, cfg)
		dirs, _ := list(t, p, inbox)
		s.Break(feishusim.DownloadURL, 1)
		_, err := p.Resolve(t.Context(), []resolver.ID{dirs[0].Children[0].ID})
		kind := resolver.ErrUnavailable
		if printed { // as 403
			kind = resolver.ErrPermission
		}
		require.ErrorIs(t, err, kind)
		assert.False(t, errors.Is(err, resolver.ErrCredentials))
	}
	s.SetUnknownIDs(feishusim.RefuseUnknown)
	_, err := connect(t, cfg).Resolve(t.Context(), []resolver.ID{"message/x/y"})
	require.ErrorIs(t, err, resolver.ErrRejected)
}

func TestProvider_Throttled(t *testing.T) {
	for _, status := range []int{429, 400} {
		s, cfg := start(t)
		s.SetThrottleStatus(status)
		s.SetRate(feishusim.Folders, feishusim.Rate{Calls: 1, Per: time.Hour})
		p := connect(t, cfg)
		_, err := p.List(t.Context(), resolver.Root, "")
		require.NoError(t, err)
		_, err = p.List(t.Context(), resolver.Root, "")
		require.ErrorIs(t, err, resolver.ErrThrottled)
		assert.InDelta(t, time.Hour, resolver.RetryAfter(err), float64(time.Minute))
		s.SetQuota(0)
		_, err = p.List(t.Context(), inbox, "")
		require.ErrorIs(t, err, resolver.ErrQuota)
	}
}
