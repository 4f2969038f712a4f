package catalog_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestLookup_LearnsSize(t *testing.T) {
	s := new(shelf)
	s.hold(file("1", "a", resolver.SizeUnknown), file("2", "b", 7))
	c, o, _ := newCatalog(t, s)
	before, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	_, ok := c.Peek(resolver.Root, "a")
	assert.False(t, ok, "its size is not known")

	for range 2 {
		n, err := c.Lookup(t.Context(), resolver.Root, "a")
		require.NoError(t, err)
		assert.EqualValues(t, 42, n.Size)
		assert.Equal(t, &o.identity, n.Learnt)
	}
	n, err := c.Lookup(t.Context(), resolver.Root, "b")
	require.NoError(t, err)
	assert.EqualValues(t, 7, n.Size)
	assert.EqualValues(t, 1, o.asked.Load())

	n, ok = c.Peek(resolver.Root, "a")
	assert.True(t, ok)
	assert.EqualValues(t, 42, n.Size)
	after, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	assert.EqualValues(t, 42, after.Nodes[0].Size)
	assert.Equal(t, resolver.SizeUnknown, before.Nodes[0].Size, "a listing handed out has changed")
	assert.NotEqual(t, before.Serial, after.Serial)
	again, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	assert.Equal(t, after.Serial, again.Serial)
}

func TestLookup_AfterChange(t *testing.T) {
	s := new(shelf)
	s.hold(file("1", "a", 7))
	c, o, _ := newCatalog(t, s)
	o.learnt.Learn("1", "v1", resolver.Identity{Size: 8})
	n, err := c.Lookup(t.Context(), resolver.Root, "a")
	require.NoError(t, err)
	assert.EqualValues(t, 7, n.Size, "the listing's size holds")

	o.learnt.Change("1", "v1", resolver.Identity{Size: 9})
	n, err = c.Lookup(t.Context(), resolver.Root, "a")
	require.NoError(t, err)
	assert.EqualValues(t, 9, n.Size, "the listing is about a content that is gone")
	assert.Equal(t, 1, n.Revision)

	o.learnt.Change("1", "v1", resolver.Identity{Size: resolver.SizeUnknown})
	l, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	assert.Equal(t, resolver.SizeUnknown, l.Nodes[0].Size)
	assert.Nil(t, l.Nodes[0].Learnt)
	n, err = c.Lookup(t.Context(), resolver.Root, "a")
	require.NoError(t, err)
	assert.EqualValues(t, 42, n.Size)
	assert.Equal(t, 2, n.Revision)
	assert.EqualValues(t, 1, o.asked.Load())
}

func TestLookup_Refused(t *testing.T) {
	for _, kind := range []error{resolver.ErrPermission, resolver.ErrUnsupported} {
		t.Run(kind.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(shelf)
				s.hold(file("1", "a", resolver.SizeUnknown))
				c, o, _ := newCatalog(t, s)
				o.err = fmt.Errorf("link: %w", kind)
				for range 2 {
					n, err := c.Lookup(t.Context(), resolver.Root, "a")
					require.NoError(t, err)
					assert.ErrorIs(t, n.Refused, kind)
					assert.Zero(t, n.Size)
				}
				n, ok := c.Peek(resolver.Root, "a")
				assert.True(t, ok)
				assert.ErrorIs(t, n.Refused, kind)
				assert.EqualValues(t, 1, o.asked.Load())

				o.err = nil
				time.Sleep(time.Minute)
				n, err := c.Lookup(t.Context(), resolver.Root, "a")
				require.NoError(t, err)
				assert.NoError(t, n.Refused)
				assert.EqualValues(t, 42, n.Size)
			})
		})
	}
}

func TestLookup_SizeNotToBeHadNow(t *testing.T) {
	for _, kind := range []error{resolver.ErrNotExist, resolver.ErrThrottled, resolver.ErrQuota, resolver.ErrUnavailable} {
		t.Run(kind.Error(), func(t *testing.T) {
			s := new(shelf)
			s.hold(file("1", "a", resolver.SizeUnknown))
			c, o, _ := newCatalog(t, s)
			o.err = kind
			for range 2 {
				_, err := c.Lookup(t.Context(), resolver.Root, "a")
				assert.ErrorIs(t, err, kind)
			}
			assert.EqualValues(t, 2, o.asked.Load())
		})
	}
}

func TestLookup_NoSizeTold(t *testing.T) {
	s := new(shelf)
	s.hold(file("1", "a", resolver.SizeUnknown))
	c, o, _ := newCatalog(t, s)
	o.identity.Size = resolver.SizeUnknown
	_, err := c.Lookup(t.Context(), resolver.Root, "a")
	assert.ErrorIs(t, err, resolver.ErrUnavailable)
}
