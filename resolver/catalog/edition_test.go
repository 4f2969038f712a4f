package catalog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func someEdition(t testing.TB) []byte {
	entries := []resolver.Entry{
		{ID: "1", Name: "a", Version: "v1", Size: 5, ModTime: time.Unix(1, 2), SHA256: []byte{1, 2}},
		{ID: "2", Name: "b", Size: resolver.SizeUnknown},
		{ID: "3", Name: "c", Dir: true},
		{ID: "4", Name: "d", Dir: true, Children: []resolver.Entry{}},
	}
	e := &edition{listing: newListing("dir", entries, nil), fetched: time.Unix(3, 4), revision: "revision"}
	text, err := e.encode()
	require.NoError(t, err)
	return text
}

// What is cut short or longer is no listing, though its checksum may be right.
func TestEdition_OtherLengths(t *testing.T) {
	text := someEdition(t)
	_, err := decodeEdition("dir", text)
	require.NoError(t, err)
	for n := range len(text) {
		_, err := decodeEdition("dir", text[:n])
		assert.ErrorIs(t, err, errFormat, "%d of %d bytes", n, len(text))
	}
	_, err = decodeEdition("dir", append(text, 0))
	assert.ErrorIs(t, err, errFormat)
}

func TestMark_OtherLengths(t *testing.T) {
	text, err := (&mark{text: "m", whole: time.Unix(3, 4).UTC()}).encode()
	require.NoError(t, err)
	m, err := decodeMark(text)
	require.NoError(t, err)
	assert.Equal(t, &mark{text: "m", whole: time.Unix(3, 4).UTC()}, m)
	for n := range len(text) {
		_, err := decodeMark(text[:n])
		assert.ErrorIs(t, err, errFormat, "%d of %d bytes", n, len(text))
	}
	_, err = decodeMark(append(text, 0))
	assert.ErrorIs(t, err, errFormat)
}

func FuzzEdition(f *testing.F) {
	f.Add(someEdition(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := decodeEdition("dir", text)
		if err != nil {
			return
		}
		again, err := e.encode()
		require.NoError(t, err)
		same, err := decodeEdition("dir", again)
		require.NoError(t, err)
		assert.Zero(t, compare(e.listing, same.listing).count)
	})
}
