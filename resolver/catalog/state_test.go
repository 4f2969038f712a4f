package catalog

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/attachfs/attachfs/resolver"
)

func TestState_UnsavedIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := openDatabase(path)
	require.NoError(t, err)
	s := &State{db: db, wake: make(chan struct{}, 1), learnt: make(map[string]*Learnt)}
	l := s.Learnt("p")
	l.Learn("1", "v1", resolver.Identity{Size: 1})
	l.Learn("2", "v1", resolver.Identity{Size: 1})
	require.NoError(t, db.Close())
	require.ErrorIs(t, s.flush(), bolterrors.ErrDatabaseNotOpen)
	l.Learn("1", "v2", resolver.Identity{Size: 2})

	s.db, err = openDatabase(path)
	require.NoError(t, err)
	defer s.db.Close()
	require.NoError(t, s.flush())
	saved := s.read(l.bucket, []resolver.ID{"1", "2"})
	require.Len(t, saved, 2)
	assert.Equal(t, "v2", saved["1"].Version, "the older record was saved over the newer one")
	assert.Empty(t, l.takeUnsaved())
}
