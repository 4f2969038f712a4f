package demo_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chunk is one RIFF chunk; off is where its id stands in what was walked.
type chunk struct {
	id   string
	body []byte
	off  int
}

// walk splits b into chunks, which must fill it to the last byte.
func walk(t testing.TB, b []byte) []chunk {
	t.Helper()
	var chunks []chunk
	for off := 0; off < len(b); {
		require.GreaterOrEqual(t, len(b)-off, 8, "room for a chunk at %d", off)
		size := int(binary.LittleEndian.Uint32(b[off+4:]))
		require.LessOrEqual(t, off+8+size, len(b), "chunk at %d", off)
		chunks = append(chunks, chunk{string(b[off : off+4]), b[off+8 : off+8+size], off})
		off += 8 + size + size%2
	}
	return chunks
}

// inside returns the chunks of a RIFF or LIST chunk of the kind.
func inside(t testing.TB, c chunk, id, kind string) []chunk {
	t.Helper()
	require.Equal(t, id, c.id)
	require.Equal(t, kind, string(c.body[:4]))
	return walk(t, c.body[4:])
}

func TestWAV(t *testing.T) {
	file := walk(t, named(t, ".wav"))
	require.Len(t, file, 1)
	parts := inside(t, file[0], "RIFF", "WAVE")
	require.Len(t, parts, 2)
	assert.Equal(t, "fmt ", parts[0].id)
	require.Len(t, parts[0].body, 16)
	rate := binary.LittleEndian.Uint32(parts[0].body[4:])
	bytesPerSecond := binary.LittleEndian.Uint32(parts[0].body[8:])
	assert.Equal(t, 2*rate, bytesPerSecond)

	assert.Equal(t, "data", parts[1].id)
	assert.InDelta(t, 5, float64(len(parts[1].body))/float64(bytesPerSecond), 0.01, "seconds")
	loudest := int16(0)
	for i := 0; i < len(parts[1].body); i += 2 {
		loudest = max(loudest, int16(binary.LittleEndian.Uint16(parts[1].body[i:])))
	}
	assert.Greater(t, loudest, int16(10_000))
}

func TestAVI(t *testing.T) {
	file := walk(t, named(t, ".avi"))
	require.Len(t, file, 1)
	parts := inside(t, file[0], "RIFF", "AVI ")
	require.Len(t, parts, 3)

	headers := inside(t, parts[0], "LIST", "hdrl")
	require.Len(t, headers, 3)
	require.Len(t, headers[0].body, 56)
	frames := binary.LittleEndian.Uint32(headers[0].body[16:])
	assert.EqualValues(t, 60, frames)
	for i, kind := range []string{"vids", "auds"} {
		stream := inside(t, headers[1+i], "LIST", "strl")
		require.Len(t, stream, 2)
		require.Len(t, stream[0].body, 56)
		assert.Equal(t, kind, string(stream[0].body[:4]))
	}

	pictures, sound := 0, 0
	chunks := inside(t, parts[1], "LIST", "movi")
	for _, c := range chunks {
		switch c.id {
		case "00dc":
			config, kind, err := image.DecodeConfig(bytes.NewReader(c.body))
			require.NoError(t, err)
			assert.Equal(t, "jpeg", kind)
			assert.Equal(t, image.Pt(320, 240), image.Pt(config.Width, config.Height))
			pictures++
		case "01wb":
			sound += len(c.body)
		default:
			assert.Fail(t, "unknown chunk", c.id)
		}
	}
	assert.EqualValues(t, frames, pictures)
	assert.Equal(t, 4*2*22050, sound)
	checkIndex(t, parts[2], chunks)
}

func checkIndex(t testing.TB, index chunk, chunks []chunk) {
	t.Helper()
	require.Equal(t, "idx1", index.id)
	require.Len(t, index.body, 16*len(chunks))
	for i, c := range chunks {
		entry := index.body[16*i:]
		assert.Equal(t, c.id, string(entry[:4]))
		assert.EqualValues(t, 4+c.off, binary.LittleEndian.Uint32(entry[8:]))
		assert.EqualValues(t, len(c.body), binary.LittleEndian.Uint32(entry[12:]))
	}
}
