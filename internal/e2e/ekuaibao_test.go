package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// four are the files of a document of each of the many.
func four(size int64) map[string]int64 {
	return map[string]int64{"0.pdf": size, "1.jpg": size + 1, "2.pdf": size + 2, "3.txt": size + 3}
}

func (h *hesi) size() (bytes int64) {
	for _, c := range h.files {
		bytes += c.Size()
	}
	return bytes
}

// Twenty thousand attachments of five thousand documents.
func TestEkuaibao_FindsAll(t *testing.T) {
	t.Parallel()
	needTool(t, "find")
	h := startHesi(t)
	for i := range 5000 {
		h.add(1+i%10, four(10))
	}
	var first []string
	for range 2 {
		before := h.pagesListed()
		p, dir := mountHesi(t, h, settings{log: `level = "info"`})
		found := strings.Split(strings.TrimSpace(run(t, "find", dir, "-type", "f")), "\n")
		for i := range found {
			found[i] = strings.TrimPrefix(found[i], dir+"/")
		}
		slices.Sort(found)
		assert.Len(t, found, 20_000)
		assert.Equal(t, 50, h.pagesListed()-before, "a hundred documents a call")
		if first != nil {
			assert.True(t, slices.Equal(first, found), "the names are others in a second mount")
		}
		first = found
		require.NoError(t, p.stop(t, unix.SIGTERM))
	}
	for _, name := range first {
		_, ok := h.files[name]
		assert.True(t, ok, name)
	}
	assert.Zero(t, h.linkCalls(t))
	assert.Zero(t, h.store.Counts().Gets)
}

// The sizes of a month: five hundred files in a hundred and twenty-five
// documents.
func TestEkuaibao_SizesOfAMonth(t *testing.T) {
	t.Parallel()
	needTool(t, "ls")
	h := startHesi(t)
	for range 125 {
		h.add(10, four(100_000))
	}
	s := settings{cacheDir: t.TempDir()}
	p, dir := mountHesi(t, h, s)
	month := filepath.Join(dir, "expense/2026-10")
	out := run(t, "ls", "-lR", month)
	assert.Equal(t, 125, strings.Count(out, " 100003 "))
	assert.Equal(t, 5, h.linkCalls(t))
	counts := h.store.Counts()
	assert.Equal(t, 500, counts.Gets)
	assert.EqualValues(t, 500*64<<10, counts.Bytes, "the first piece of each")
	run(t, "ls", "-lR", month)
	require.NoError(t, p.stop(t, unix.SIGTERM))
	_, dir = mountHesi(t, h, s)
	run(t, "ls", "-lR", filepath.Join(dir, "expense/2026-10"))
	assert.Equal(t, 5, h.linkCalls(t), "known for ever")
	assert.Equal(t, counts, h.store.Counts())
	h.requireOnlyGets(t)
}

func TestEkuaibao_Rsync(t *testing.T) {
	t.Parallel()
	needTool(t, "rsync")
	h := startHesi(t)
	for i := range 500 {
		h.add(9+i%2, four(int64(500*(1+i%200))))
	}
	_, dir := mountHesi(t, h, settings{log: `level = "info"`})
	to := t.TempDir()
	run(t, "rsync", "-a", dir+"/", to)
	assert.Equal(t, 20, h.linkCalls(t))
	assert.Equal(t, h.size(), h.store.Counts().Bytes, "no byte twice")
	h.requireOnlyGets(t)
	for name, content := range h.files {
		requireSame(t, contentOf(t, content), read(t, filepath.Join(to, name)))
	}
	noTransfer(t, dir, to)
	assert.Equal(t, 20, h.linkCalls(t))
}

// A slow reader outlives many links, of both kinds.
func TestEkuaibao_SlowReader(t *testing.T) {
	t.Parallel()
	const life, size = 5 * time.Second, 200 * mib
	for _, name := range []string{"stored.bin", "dd.bin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHesi(t)
			h.life = life
			at := filepath.Join(h.add(10, map[string]int64{name: size, "small.txt": 10, "dd small.txt": 10}), name)
			_, dir := mountHesi(t, h, settings{log: `level = "info"`}, fmt.Sprintf("link_ttl = %q", life))
			began := time.Now()
			readFor(t, filepath.Join(dir, at), h.files[at], 4*life)
			lives := int(time.Since(began)/life) + 1

			origin, other := h.store, h.drive
			if onDrive(name) {
				origin, other = h.drive, h.store
			}
			issued := origin.CountsOf("ID_0-" + name).LinksIssued
			assert.GreaterOrEqual(t, issued, 3)
			assert.LessOrEqual(t, issued, 2*lives, "one a life, of which a margin is taken off")
			h.requireOnlyGets(t)
			for _, r := range origin.Requests() {
				assert.Equal(t, onDrive(name), slices.Contains(r.Header, "X-Oss-Date"))
				assert.Equal(t, onDrive(name), slices.Contains(r.Header, "Authorization"))
				assert.NotContains(t, r.Header, "Content-Type")
			}
			requireSame(t, contentOf(t, h.files[filepath.Join(filepath.Dir(at), "small.txt")]),
				read(t, filepath.Join(dir, filepath.Dir(at), "small.txt")))
			requireSame(t, contentOf(t, h.files[filepath.Join(filepath.Dir(at), "dd small.txt")]),
				read(t, filepath.Join(dir, filepath.Dir(at), "dd small.txt")))
			for _, r := range other.Requests() {
				assert.Equal(t, other == h.drive, slices.Contains(r.Header, "X-Oss-Date"), "headers are for their host alone")
			}
		})
	}
}

// Links that were taken back on the way, in the ways of both stores.
func TestEkuaibao_DeadLinks(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 401} {
		for _, name := range []string{"stored.bin", "dd.bin"} {
			h := startHesi(t)
			at := filepath.Join(h.add(10, map[string]int64{name: 20 * mib}), name)
			_, dir := mountHesi(t, h, settings{})
			f := openFile(t, filepath.Join(dir, at))
			requireAt(t, f, h.files[at], 0, 8192)
			before := h.linkCalls(t)
			for _, origin := range []*linksim.Origin{h.store, h.drive} {
				origin.SetDeadStatus(status)
				origin.ExpireLinks()
			}
			requireSame(t, contentOf(t, h.files[at]), read(t, f.Name()))
			assert.LessOrEqual(t, h.linkCalls(t)-before, 1, "one renewal")
		}
	}
}

// A company that may not have the files of its drive sees them.
func TestEkuaibao_DriveIsShut(t *testing.T) {
	t.Parallel()
	needTool(t, "ls")
	h := startHesi(t)
	h.driveShut = true
	of := h.add(10, map[string]int64{"dd a.pdf": 4711, "dd b.pdf": 4712, "c.pdf": 4713})
	p, dir := mountHesi(t, h, settings{log: `level = "info"`})
	out := run(t, "ls", "-l", filepath.Join(dir, of))
	for _, size := range []string{" 4711 ", " 4712 ", " 4713 "} {
		assert.Contains(t, out, size)
	}
	_, err := os.ReadFile(filepath.Join(dir, of, "dd a.pdf"))
	require.ErrorIs(t, err, unix.EACCES)
	assert.Contains(t, p.log.String(), "企业存储文件下载信息读权限")
	requireSame(t, contentOf(t, h.files[of+"/c.pdf"]), read(t, filepath.Join(dir, of, "c.pdf")))
}

// A company of many years has more months than check looks into.
func TestEkuaibao_Check(t *testing.T) {
	t.Parallel()
	h := startHesi(t)
	h.add(1-12*6, map[string]int64{"old.pdf": 10})
	h.add(10, map[string]int64{"a.pdf": 10})
	p, _ := mountHesi(t, h, settings{})
	cmd := attachfs("check", "--config", p.config)
	cmd.Env = append(cmd.Env, hesiSecretEnv+"="+hesiSecret)
	got := call(t, cmd)
	assert.Contains(t, got.out, "ok    provider hesi: documents: expense 2\n")
	assert.Contains(t, got.out, "ok    provider hesi, link: old.pdf is at 127.0.0.1")
	assert.Contains(t, got.out, "not available in this company: loan, payment")
	assert.NotContains(t, got.out+got.err, linksim.Marker)
}
