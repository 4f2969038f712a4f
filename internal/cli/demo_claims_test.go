package cli

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/resolver"
)

func TestDemo_ClaimsHasItAll(t *testing.T) {
	s, err := newStack(simulate(t), nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	claims := s.providers[slices.Index(demo.Names(), demo.Claims)]

	shown := make(map[string]resolver.Node)
	walk(t, claims.catalog, resolver.Root, "", shown)
	for _, f := range demo.Set(demo.Claims) {
		require.Contains(t, shown, f.Path)
		assert.True(t, f.ModTime.Equal(shown[f.Path].ModTime), f.Path)
	}
	assert.Len(t, shown, len(demo.Set(demo.Claims)))

	for _, c := range demo.ClaimDocuments() {
		for _, f := range c.Files {
			lease, err := claims.broker.Acquire(t.Context(), shown[f.Path].File)
			require.NoError(t, err, f.Path)
			assert.Equal(t, f.Part == demo.DingTalk, len(lease.Link().Header) > 0, f.Path)
		}
	}
}
