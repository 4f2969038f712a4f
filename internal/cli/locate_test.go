package cli

import (
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const located = `# comment = 1
top = """
mount = 3 \"""
[not.a.table]
"""
[mount] # [cache]
uid = 1
"quoted" = 'a # "b'
list = [ # ]
  "x]", 'y"',
]
after = '''
fake = 1
four''''
dotted . key = {inline = 1, other = "}"}

[[provider]]
name = "a\"b"
[[provider]]

  name = "b"	# tail
type = "c"`

func TestLocate(t *testing.T) {
	_, err := toml.Decode(located, &map[string]any{})
	require.NoError(t, err, "the text under test must be valid")
	assert.Equal(t, lines{
		"top": 2, "mount": 6, "mount.uid": 7, "mount.quoted": 8, "mount.list": 9, "mount.after": 12,
		"mount.dotted": 15, "mount.dotted.key": 15,
		"provider": 17, "provider[0]": 17, "provider[0].name": 18,
		"provider[1]": 19, "provider[1].name": 21, "provider[1].type": 22,
	}, locate(located))
}

func TestLinesOf(t *testing.T) {
	l := locate(located)
	assert.Equal(t, 21, l.of("provider[1].name"))
	assert.Equal(t, 19, l.of("provider[1].file"), "a key that is not there is blamed on its table")
	assert.Equal(t, 17, l.of("provider[7].name"))
	assert.Equal(t, 15, l.of("mount.dotted.key.inline"))
	assert.Equal(t, 0, l.of("read.stall"))
}

func TestNearest(t *testing.T) {
	names := []string{"stall", "streams", "window"}
	assert.Equal(t, "did you mean stall?", nearest("stal", names))
	assert.Equal(t, "did you mean streams?", nearest("stream", names))
	assert.Equal(t, "did you mean window?", nearest("widnow", names))
	assert.Equal(t, "known are stall, streams, window", nearest("colour", names))
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		assert.Equal(t, tc.want, editDistance(tc.a, tc.b), "%s to %s", tc.a, tc.b)
	}
}

func FuzzLocate(f *testing.F) {
	f.Add(located)
	f.Add("a = [[1], [2]]\n[ x . y ]\nz=\"\"\"\"\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		var tree map[string]any
		if _, err := toml.Decode(text, &tree); err != nil {
			return
		}
		locate(text) // must end, and not panic
	})
}
