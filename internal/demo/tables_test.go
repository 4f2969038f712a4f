package demo_test

import (
	"bytes"
	"image/gif"
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/demo"
)

func TestDocuments_AreTheSet(t *testing.T) {
	var told []string
	kinds := make(map[string]bool)
	for _, d := range demo.TableDocuments() {
		kinds[d.Kind] = true
		for _, s := range d.Sheets {
			for _, r := range s.Records {
				for _, f := range r.Files {
					told = append(told, f.Path)
					assert.Equal(t, path.Join(d.Name, s.Name, r.Name), path.Dir(f.Path))
					assert.Equal(t, d.ModTime, f.ModTime, f.Path)
				}
			}
		}
	}
	var shown []string
	for _, f := range demo.Set(demo.Tables) {
		shown = append(shown, f.Path)
	}
	assert.Equal(t, shown, told)
	assert.Equal(t, map[string]bool{"dbt": true, "ksheet": true}, kinds)
}

func TestTables_ArePicturesOrWithheld(t *testing.T) {
	pictures := make(map[string]bool)
	withheld := 0
	for _, f := range demo.Set(demo.Tables) {
		if f.Withheld {
			withheld++
			continue
		}
		b := small(t, f)
		img, err := gif.Decode(bytes.NewReader(b))
		require.NoError(t, err, f.Path)
		assert.Equal(t, 160, img.Bounds().Dx(), f.Path)
		pictures[string(b)] = true
	}
	assert.Equal(t, 2, withheld)
	assert.Len(t, pictures, 42, "no two alike")
}
