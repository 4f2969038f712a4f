package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

const mib = 1 << 20

func TestGibibyteEqualsItsDigest(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 1 GiB")
	}
	origin := startOrigin(t)
	content := linksim.Pattern(1, 1<<30)
	origin.Put(linksim.Object{Path: "big.bin", Content: content})
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	assert.Equal(t, digest(t, io.NewSectionReader(content, 0, content.Size())), fileDigest(t, filepath.Join(dir, "big.bin")))
}

func digest(tb testing.TB, r io.Reader) [32]byte {
	tb.Helper()
	h := sha256.New()
	_, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, mib))
	require.NoError(tb, err)
	return [32]byte(h.Sum(nil))
}

func fileDigest(tb testing.TB, path string) [32]byte {
	tb.Helper()
	f, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	return digest(tb, f)
}

func TestTwoUseLink_OneGETForTheWholeFile(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hidden), func(t *testing.T) {
			origin := startOrigin(t)
			content := linksim.Pattern(2, 40*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, HideSize: hidden, Terms: linksim.Terms{Uses: 2}})
			_, dir := mountOrigin(t, origin, settings{})
			requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
			randomReads(t, filepath.Join(dir, "f"), content, 200)
			counts := origin.Counts()
			assert.Equal(t, 1, int(counts.Gets))
			assert.Equal(t, 1, int(counts.LinkCalls))
			assert.Zero(t, counts.OverUses)
		})
	}
}

func TestTwoUseLink_CutInTheMiddleCostsTheSecondUse(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(3, 40*mib)
	origin.Put(linksim.Object{Path: "f", Content: content, Terms: linksim.Terms{Uses: 2}})
	origin.Inject("f", linksim.Fault{Kind: linksim.CutBody, After: 17*mib + 4711, Times: 1})
	_, dir := mountOrigin(t, origin, settings{})
	requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
	randomReads(t, filepath.Join(dir, "f"), content, 200)
	counts := origin.Counts()
	assert.Equal(t, 2, int(counts.Gets))
	assert.Equal(t, 1, int(counts.LinkCalls))
	assert.Zero(t, counts.OverUses)
}

func TestTwoUseLink_BothUsesGone(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(4, 12*mib)
	origin.Put(linksim.Object{Path: "f", Content: content, Terms: linksim.Terms{Uses: 2}})
	origin.Inject("f", linksim.Fault{Kind: linksim.CutBody, After: 4*mib + 1, Times: 2})
	_, dir := mountOrigin(t, origin, settings{})
	requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
	counts := origin.Counts()
	assert.Equal(t, 3, int(counts.Gets))
	assert.Equal(t, 2, int(counts.LinkCalls), "a fresh link, once")
	assert.Zero(t, counts.OverUses)
}

func TestTwoUseLink_RandomReaderFirst(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(5, 40*mib)
	origin.Put(linksim.Object{Path: "f", Content: content, Terms: linksim.Terms{Uses: 2}})
	_, dir := mountOrigin(t, origin, settings{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() { randomReads(t, filepath.Join(dir, "f"), content, 50) })
	}
	readers.Wait()
	assert.Equal(t, 1, int(origin.Counts().Gets))
}

// randomReads reads n pieces of a file at random places. It may be called off
// the test's goroutine.
func randomReads(t *testing.T, path string, content linksim.Content, n int) {
	f, err := os.Open(path)
	if !assert.NoError(t, err) {
		return
	}
	defer func() { _ = f.Close() }()
	want, got := make([]byte, 4096), make([]byte, 4096)
	for range n {
		off := rand.Int64N(content.Size() - int64(len(want)))
		_, err := content.ReadAt(want, off)
		assert.NoError(t, err)
		_, err = f.ReadAt(got, off)
		if !assert.NoError(t, err) || !assert.Equal(t, want, got, "at %d", off) {
			return
		}
	}
}

func TestHerd_OneResolveForManyReadersOfADeadLink(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(6, 64*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	_, dir := mountOrigin(t, origin, settings{})
	path := filepath.Join(dir, "f")
	randomReads(t, path, content, 1) // borrow a link
	require.Equal(t, 1, int(origin.Counts().LinkCalls))
	origin.ExpireLinks()
	var readers sync.WaitGroup
	for range 64 {
		readers.Go(func() { randomReads(t, path, content, 2) })
	}
	readers.Wait()
	assert.Equal(t, 2, int(origin.Counts().LinkCalls), "one resolve for 64 readers")
}

func TestSlowReadOverManyLinkLifetimes(t *testing.T) {
	t.Parallel()
	const lifetime, lives = time.Second, 11
	origin := startOrigin(t)
	content := linksim.Pattern(7, 24*mib)
	origin.Put(linksim.Object{Path: "f", Content: content, Terms: linksim.Terms{Lifetime: lifetime}})
	_, dir := mountOrigin(t, origin, settings{read: `window = "1MiB"`})
	f, err := os.Open(filepath.Join(dir, "f"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	want, got := contentOf(t, content), make([]byte, 64<<10)
	began := time.Now()
	for off := 0; off < len(want); off += len(got) {
		_, err := io.ReadFull(f, got)
		require.NoError(t, err)
		requireSame(t, want[off:off+len(got)], got)
		time.Sleep(time.Duration(lives) * lifetime / time.Duration(len(want)/len(got)))
	}
	lived := int(time.Since(began)/lifetime) + 1
	counts := origin.Counts()
	assert.GreaterOrEqual(t, lived, lives)
	assert.LessOrEqual(t, int(counts.LinkCalls), lived+lived/5+1, "about one link per lifetime (less its margin)")
	assert.LessOrEqual(t, counts.DeadUses, 2, "links are renewed before they die, but for a busy machine")
}

func TestPlainListingCostsNoLink(t *testing.T) {
	needTool(t, "ls")
	origin := startOrigin(t)
	for i := range 1000 {
		origin.Put(linksim.Object{Path: fmt.Sprintf("d/file %04d.pdf", i), Content: linksim.Pattern(uint64(i), 1000), HideSize: true})
	}
	_, dir := mountOrigin(t, origin, settings{})
	run(t, "ls", filepath.Join(dir, "d"))
	out := run(t, "find", dir, "-name", "*.pdf")
	assert.Equal(t, 1000, lines(out))
	counts := origin.Counts()
	assert.Zero(t, counts.LinkCalls)
	assert.Zero(t, counts.Gets)
}

func TestDigestOfTheListingIsChecked(t *testing.T) {
	for _, size := range []int64{100, 3 * mib, 20 * mib} {
		for _, honest := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes, honest %v", size, honest), func(t *testing.T) {
				origin := startOrigin(t)
				content := linksim.Pattern(8, size)
				sum := digest(t, io.NewSectionReader(content, 0, size))
				if !honest {
					content = linksim.Pattern(9, size)
				}
				origin.Put(linksim.Object{Path: "f", Content: content, SHA256: hex.EncodeToString(sum[:])})
				_, dir := mountOrigin(t, origin, settings{})
				b, err := os.ReadFile(filepath.Join(dir, "f"))
				if honest {
					require.NoError(t, err)
					requireSame(t, contentOf(t, content), b)
				} else {
					require.ErrorIs(t, err, syscall.EIO)
				}
			})
		}
	}
}
