package resolvertest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// prompt is how long a provider may take to notice that its context ended.
const prompt = 2 * time.Second

// Fixture is a provider to be tested, and what is known of it.
type Fixture struct {
	// New makes the provider, always over the same files and without limits on
	// how often it is asked. Run closes it if it is an io.Closer.
	New func(t *testing.T) resolver.Provider
	// Want is what the tree holds, by path, and nothing else; nil when that is
	// not known.
	Want map[string]Want
	// UnknownDir and UnknownFile are well formed ids of nothing. When they are
	// empty a text that is no id at all stands for them.
	UnknownDir, UnknownFile resolver.ID
	// Print holds more values that people print, such as the Config.
	Print []any
	// Secrets are texts that may be printed nowhere, such as a token. The
	// suite adds those of the links.
	Secrets []string
}

// Want is what is known of one file.
type Want struct {
	// Size is the size that the listing tells, resolver.SizeUnknown for none.
	Size int64
	// Err is the kind of error that resolving it ends with; nil for a link.
	Err error
}

// Run tests the provider against the contract of package resolver.
func Run(t *testing.T, f Fixture) {
	f.UnknownDir = cmp.Or(f.UnknownDir, "resolvertest: no such directory")
	f.UnknownFile = cmp.Or(f.UnknownFile, "resolvertest: no such file")
	for _, check := range []struct {
		name string
		run  func(*testing.T, Fixture, resolver.Provider)
	}{
		{"Tree", testTree},
		{"ListTwice", testListTwice},
		{"Children", testChildren},
		{"Update", testUpdate},
		{"UnknownDirectory", testUnknownDirectory},
		{"Links", testLinks},
		{"Batch", testBatch},
		{"AnswersInOrder", testAnswersInOrder},
		{"UnknownFile", testUnknownFile},
		{"ContextEnds", testContextEnds},
		{"Parallel", testParallel},
		{"Account", testAccount},
		{"Secrets", testSecrets},
	} {
		t.Run(check.name, func(t *testing.T) {
			check.run(t, f, f.open(t))
		})
	}
}

// open makes a provider that is closed with the test.
func (f Fixture) open(t *testing.T) resolver.Provider {
	t.Helper()
	p := f.New(t)
	if c, ok := p.(io.Closer); ok {
		t.Cleanup(func() { assert.NoError(t, c.Close()) })
	}
	return p
}

func testTree(t *testing.T, f Fixture, p resolver.Provider) {
	found, err := walk(t.Context(), p)
	require.NoError(t, err)
	require.NotEmpty(t, found, "a tree without anything proves nothing")
	ids := make(map[resolver.ID]string)
	sizes := make(map[string]int64)
	for _, n := range found {
		assert.NotEmpty(t, n.ID, "id of %s", n.path)
		assert.NotEmpty(t, n.Name, "name of %s", n.path)
		assert.NotContains(t, ids, n.ID, "%s has the id of another", n.path)
		ids[n.ID] = n.path
		if n.Dir {
			continue
		}
		sizes[n.path] = n.Size
		assert.GreaterOrEqual(t, n.Size, resolver.SizeUnknown, "size of %s", n.path)
		if n.SHA256 != nil {
			assert.Len(t, n.SHA256, 32, "digest of %s", n.path)
		}
	}
	if f.Want == nil {
		return
	}
	want := make(map[string]int64)
	for path, w := range f.Want {
		want[path] = w.Size
	}
	assert.Equal(t, want, sizes)
}

func testListTwice(t *testing.T, f Fixture, p resolver.Provider) {
	first, err := walk(t.Context(), p)
	require.NoError(t, err)
	again, err := walk(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, first, again)
	other, err := walk(t.Context(), f.open(t))
	require.NoError(t, err)
	assert.Equal(t, versions(first), versions(other), "versions belong to the content, not to the provider that lists it")
}

func testUnknownDirectory(t *testing.T, f Fixture, p resolver.Provider) {
	_, err := p.List(t.Context(), f.UnknownDir, "")
	assert.ErrorIs(t, err, resolver.ErrNotExist)
}

func testLinks(t *testing.T, f Fixture, p resolver.Provider) {
	found, err := walk(t.Context(), p)
	require.NoError(t, err)
	links := 0
	for _, n := range files(found) {
		answers, err := p.Resolve(t.Context(), []resolver.ID{n.ID})
		require.NoError(t, err, "resolve %s", n.path)
		require.Len(t, answers, 1)
		if want := f.Want[n.path].Err; want != nil {
			assert.ErrorIs(t, answers[0].Err, want, n.path)
			continue
		}
		if f.Want != nil {
			require.NoError(t, answers[0].Err, n.path)
		}
		if err := answers[0].Err; err != nil {
			assert.True(t, ofKind(err), "%s: %v is of no kind", n.path, err)
			continue
		}
		links++
		checkLink(t, n.path, answers[0].Link)
	}
	assert.Positive(t, links, "no file has a link")
}

func checkLink(t *testing.T, path string, l resolver.Link) {
	t.Helper()
	assert.NotEmpty(t, l.URLs, path)
	for _, s := range l.URLs {
		u, err := url.Parse(s.Reveal())
		if !assert.True(t, err == nil, "%s: URL does not parse", path) {
			continue
		}
		assert.Contains(t, []string{"http", "https"}, u.Scheme, path)
		assert.NotEmpty(t, u.Hostname(), path)
		assert.Nil(t, u.User, path)
	}
	assert.GreaterOrEqual(t, l.Uses, 0, path)
	assert.GreaterOrEqual(t, l.Size, int64(0), path)
}

// testBatch checks what a Batcher says of its files: the same each time, in
// whatever order, and without a call.
func testBatch(t *testing.T, f Fixture, p resolver.Provider) {
	batcher, ok := p.(resolver.Batcher)
	if !ok {
		t.Skip("the provider takes one id at a time")
	}
	found, err := walk(t.Context(), p)
	require.NoError(t, err)
	ids := []resolver.ID{f.UnknownFile}
	for _, n := range files(found) {
		ids = append(ids, n.ID)
	}
	first := make(map[resolver.ID]resolver.Batch)
	sizes := make(map[[2]string]int)
	for _, id := range ids {
		batch := batcher.Batch(id)
		first[id] = batch
		assert.GreaterOrEqual(t, batch.Size, 1, "%q", id)
		group := [2]string{batch.Lane, batch.Group}
		if size, ok := sizes[group]; ok {
			assert.Equal(t, size, batch.Size, "%q: what one call takes is the same for the whole group", id)
		}
		sizes[group] = batch.Size
	}
	for _, id := range slices.Backward(ids) {
		assert.Equal(t, first[id], batcher.Batch(id), "%q", id)
	}
}

// testAnswersInOrder asks for files forwards, backwards and twice. Which file
// an answer is for shows in the URL's path: it is the same each time the file
// is asked for alone, unless the provider makes a new one up.
func testAnswersInOrder(t *testing.T, _ Fixture, p resolver.Provider) {
	ids := oneBatch(p, linkedFiles(t, p))
	size := batchOf(p, ids[0]).Size
	alone := make(map[resolver.ID]string)
	for _, id := range ids {
		first, again := place(t, p, id), place(t, p, id)
		if first == again {
			alone[id] = first
		}
	}
	backwards := slices.Clone(ids)
	slices.Reverse(backwards)
	for _, order := range [][]resolver.ID{ids, backwards, slices.Concat(backwards, ids)} {
		order = order[:min(len(order), size)]
		answers, err := p.Resolve(t.Context(), order)
		require.NoError(t, err)
		require.Len(t, answers, len(order))
		for i, id := range order {
			require.NoError(t, answers[i].Err, id)
			if want, ok := alone[id]; ok {
				assert.Equal(t, want, placeOf(answers[i].Link), "answer %d is not for %q", i, id)
			}
		}
	}
	answers, err := p.Resolve(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, answers)
}

func testUnknownFile(t *testing.T, f Fixture, p resolver.Provider) {
	good := linkedFiles(t, p)[0]
	ids := oneBatch(p, []resolver.ID{f.UnknownFile, good})
	answers, err := p.Resolve(t.Context(), ids)
	if len(ids) > 1 && (resolver.Refused(err) || errors.Is(err, resolver.ErrNotExist)) { // for one of them
		ids = ids[:1]
		answers, err = p.Resolve(t.Context(), ids)
	}
	require.NoError(t, err)
	require.Len(t, answers, len(ids))
	assert.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)
	for _, a := range answers[1:] {
		require.NoError(t, a.Err)
		checkLink(t, string(good), a.Link)
	}
}

func testContextEnds(t *testing.T, _ Fixture, p resolver.Provider) {
	ids := linkedFiles(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	_, err := p.List(ctx, resolver.Root, "")
	require.ErrorIs(t, err, context.Canceled)
	_, err = p.Resolve(ctx, ids[:1])
	require.ErrorIs(t, err, context.Canceled)
	assert.Less(t, time.Since(start), prompt)
}

func testParallel(t *testing.T, _ Fixture, p resolver.Provider) {
	want, err := walk(t.Context(), p)
	require.NoError(t, err)
	ids := linkedFiles(t, p)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			found, err := walk(t.Context(), p)
			assert.NoError(t, err)
			assert.Equal(t, want, found)
			answers, err := p.Resolve(t.Context(), []resolver.ID{ids[i%len(ids)]})
			assert.NoError(t, err)
			assert.Len(t, answers, 1)
		})
	}
	wg.Wait()
}

func testAccount(t *testing.T, f Fixture, p resolver.Provider) {
	a, ok := p.(resolver.Accounter)
	if !ok {
		t.Skip("the provider tells no account")
	}
	assert.NotEmpty(t, a.Account())
	other, ok := f.open(t).(resolver.Accounter)
	require.True(t, ok)
	assert.Equal(t, a.Account(), other.Account())
	for _, secret := range f.Secrets {
		assert.NotContains(t, a.Account(), secret)
	}
}

// ofKind reports whether err is one that a provider may answer an id with.
func ofKind(err error) bool {
	return slices.ContainsFunc([]error{
		resolver.ErrNotExist, resolver.ErrPermission, resolver.ErrUnsupported, resolver.ErrThrottled,
		resolver.ErrQuota, resolver.ErrUnavailable,
	}, func(kind error) bool { return errors.Is(err, kind) })
}
