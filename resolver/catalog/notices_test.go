package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func TestNotices_Merge(t *testing.T) {
	n := newNotices(nil)
	n.add("some", []string{"a"})
	n.add("some", []string{"b"})
	n.add("all", nil)
	n.add("all", []string{"a"})
	n.add("all by now", []string{"a"})
	n.add("all by now", nil)
	for range maxNames + 1 {
		n.add("too many", []string{"a"})
	}
	assert.Equal(t, map[resolver.ID][]string{"some": {"a", "b"}, "all": nil, "all by now": nil, "too many": nil}, n.waiting)
}
