package kdocs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

func newRefresh(t *testing.T) (*kdocssim.Server, *oauth, tokenfile.Tokens) {
	t.Helper()
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(kdocssim.App{ID: "AK-1", Key: "key", Scopes: []string{kdocssim.ScopeUser}})
	o := newOAuth(s.URL(), "AK-1", resolver.NewSecret("key"), nil)
	t.Cleanup(func() { assert.NoError(t, o.Close()) })
	login := s.Login("AK-1")
	return s, o, tokenfile.Tokens{Access: resolver.NewSecret(login.Access), Refresh: resolver.NewSecret(login.Refresh)}
}

func TestRefresh(t *testing.T) {
	s, o, old := newRefresh(t)
	got, err := o.refresh(t.Context(), old)
	require.NoError(t, err)
	assert.NotEqual(t, old.Refresh.Reveal(), got.Refresh.Reveal())
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), got.Expires, time.Minute)
	assert.WithinDuration(t, time.Now().Add(90*24*time.Hour), got.RefreshExpires, time.Minute)
	name, err := o.person(t.Context(), got.Access)
	require.NoError(t, err)
	assert.Equal(t, "小明", name)
	assert.Zero(t, s.Counts(kdocssim.UserBasic).Leaks)
}

func TestRefresh_TheLoginIsOver(t *testing.T) {
	s, o, old := newRefresh(t)
	s.Logout()
	for _, shape := range []kdocssim.Errors{{Status: 200}, {}, {Status: 200, Field: "msg"}, {Status: 400, Field: "hint"}} {
		s.SetErrors(shape)
		_, err := o.refresh(t.Context(), old)
		require.ErrorIs(t, err, errLogin)
		require.ErrorIs(t, err, resolver.ErrCredentials)
		assert.ErrorContains(t, err, "code 20002: the login is over")
	}
	s.Fail(kdocssim.RefreshToken, kdocssim.Failure{Status: 403, Code: 99})
	_, err := o.refresh(t.Context(), old)
	require.ErrorIs(t, err, errLogin, "whatever the code is")
}

func TestRefresh_MayComeLater(t *testing.T) {
	s, o, old := newRefresh(t)
	for _, f := range []kdocssim.Failure{
		{Drop: true}, {Status: 502, Body: "<html>"}, {Status: 500}, {Status: 429}, {Status: 200, Body: `{"code":0}`},
	} {
		s.Fail(kdocssim.RefreshToken, f)
		_, err := o.refresh(t.Context(), old)
		require.Error(t, err)
		assert.NotErrorIs(t, err, resolver.ErrCredentials, "%+v", f)
		assert.NotContains(t, err.Error(), kdocssim.Marker)
	}
	_, err := o.refresh(t.Context(), old)
	require.NoError(t, err)
	wrong := newOAuth(s.URL(), "AK-1", resolver.NewSecret("wrong"), nil)
	defer func() { assert.NoError(t, wrong.Close()) }()
	_, err = wrong.refresh(t.Context(), old)
	require.ErrorIs(t, err, errKey)
	assert.NotErrorIs(t, err, errLogin, "the login may be good")
}
