package stream

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func TestCompare(t *testing.T) {
	shown := func(size int64, etag, modified string, generation uint64) sight {
		return sight{resolver.Identity{Size: size, ETag: etag, LastModified: modified}, generation}
	}
	const same, other, bad = "same", "changed", "wrong"
	for name, c := range map[string]struct {
		pinned, seen sight
		want         string
	}{
		"nothing but the length":                     {shown(10, "", "", 1), shown(10, "", "", 1), same},
		"equal tags":                                 {shown(10, `"a"`, "", 1), shown(10, `"a"`, "", 2), same},
		"equal tags, other dates":                    {shown(10, `"a"`, "then", 1), shown(10, `"a"`, "now", 1), same},
		"equal dates":                                {shown(10, "", "then", 1), shown(10, "", "then", 1), same},
		"a tag that came later":                      {shown(10, "", "then", 1), shown(10, `"a"`, "then", 1), same},
		"a tag that is gone":                         {shown(10, `"a"`, "", 1), shown(10, "", "", 1), same},
		"no length told":                             {shown(10, `"a"`, "", 1), shown(unknown, `"a"`, "", 1), same},
		"a tag for each link":                        {shown(10, `"a"`, "then", 1), shown(10, `"b"`, "then", 2), same},
		"a tag for each link, of before the restart": {shown(10, `"a"`, "then", 0), shown(10, `"b"`, "then", 1), same},
		"other tag":                                  {shown(10, `"a"`, "", 1), shown(10, `"b"`, "", 1), other},
		"other tag on another link":                  {shown(10, `"a"`, "", 1), shown(10, `"b"`, "", 2), other},
		"other tag on the same link, same date":      {shown(10, `"a"`, "then", 1), shown(10, `"b"`, "then", 1), other},
		"other tag and date on another link":         {shown(10, `"a"`, "then", 1), shown(10, `"b"`, "now", 2), other},
		"other tag and length on another link":       {shown(10, `"a"`, "then", 1), shown(11, `"b"`, "then", 2), other},
		"other tag and length of a promise":          {shown(10, `"a"`, "", 1), shown(11, `"b"`, "", 2), other},
		"other date":                                 {shown(10, "", "then", 1), shown(10, "", "now", 1), other},
		"other date and length":                      {shown(10, "", "then", 1), shown(11, "", "now", 1), other},
		"other date, tag gone":                       {shown(10, `"a"`, "then", 1), shown(10, "", "now", 1), other},
		"other length":                               {shown(10, "", "", 1), shown(11, "", "", 1), bad},
		"other length, same tag":                     {shown(10, `"a"`, "", 1), shown(11, `"a"`, "", 1), bad},
		"other length, same date":                    {shown(10, "", "then", 1), shown(11, "", "then", 1), bad},
	} {
		t.Run(name, func(t *testing.T) {
			switch err := compare(c.pinned, c.seen); c.want {
			case same:
				assert.NoError(t, err)
			case other:
				assert.ErrorIs(t, err, resolver.ErrChanged)
				assert.False(t, isFailure(err))
			case bad:
				assert.True(t, isFailure(err), "%v", err)
				assert.NotErrorIs(t, err, resolver.ErrChanged)
			}
		})
	}
}
