package catalog

import (
	"path/filepath"
	"slices"
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
	s := &State{db: db, wake: make(chan struct{}, 1), learnt: make(map[string]*Learnt), tables: make(map[string]*table)}
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
	assert.Empty(t, l.table.batch())
	saved := make(map[string]string)
	l.table.read(slices.Values([]string{"1", "2"}), func(id string, text []byte) { saved[id] = string(text) })
	require.Len(t, saved, 2)
	assert.Contains(t, saved["1"], "v2", "the older record was saved over the newer one")
}

func TestTable_WhatIsPutWhileSavingIsSavedLater(t *testing.T) {
	s := &State{wake: make(chan struct{}, 1), tables: make(map[string]*table)}
	table := s.table("t")
	one, two := &record{Version: "1"}, &record{Version: "2"}
	for _, key := range []string{"a", "b", "c"} {
		table.put(key, one)
	}
	saving := table.batch()
	table.put("a", two)
	table.put("b", nil)
	table.saved(saving)
	assert.Equal(t, map[string]value{"a": two, "b": nil}, table.batch())
}

func TestTable_Lazily(t *testing.T) {
	s := &State{wake: make(chan struct{}, 1), tables: make(map[string]*table)}
	table := s.table("t")
	one := &record{Version: "1"}
	table.putLazily("a", one)
	assert.Empty(t, s.wake, "nothing is to be saved soon")
	table.put("b", one)
	assert.Len(t, s.wake, 1)
	assert.Equal(t, map[string]value{"a": one, "b": one}, table.batch(), "one goes with the other")
}
