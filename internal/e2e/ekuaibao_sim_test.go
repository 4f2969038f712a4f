package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/ekuaibao/ekuaibaosim"
)

// ekuaibao is a simulated company with the files of its documents, by path.
type ekuaibao struct {
	*ekuaibaosim.Server
	files map[string]linksim.Content
	ids   map[string]string
}

func startEkuaibao(tb testing.TB) *ekuaibao {
	tb.Helper()
	server, err := ekuaibaosim.Start()
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, server.Close()) })
	return &ekuaibao{Server: server, files: make(map[string]linksim.Content), ids: make(map[string]string)}
}

// add adds an expense of March with a file of that size in each of the stores,
// and returns where it is.
func (e *ekuaibao) add(size int64, stores ...ekuaibaosim.Store) string {
	d := ekuaibaosim.Document{Title: "expense"}
	for i, store := range stores {
		name := fmt.Sprintf("%s %d+α.bin", store, i)
		content := linksim.Pattern(uint64(len(e.files)+i), size)
		d.Attachments = append(d.Attachments, ekuaibaosim.File{Name: name, Content: content, Store: store})
	}
	added := e.AddDocument(d)
	dir := "expense/2026-03/" + added.Code + " expense"
	for _, f := range d.Attachments {
		e.files[dir+"/"+f.Name], e.ids[dir+"/"+f.Name] = f.Content, added.Files[f.Name]
	}
	return dir
}

func mountEkuaibao(tb testing.TB, e *ekuaibao, s settings, more string) (*process, string) {
	tb.Helper()
	s.providers = append(s.providers, fmt.Sprintf("name = \"hesi\"\ntype = \"ekuaibao\"\nbase_url = %q\napp_key = \"env:EKUAIBAO_APP_KEY\"\napp_security = \"env:%s\"\n",
		e.URL(), hesiSecretEnv)+"insecure_hosts = [\"127.0.0.1\"]\n"+more)
	s.env = append(s.env, hesiSecretEnv+"="+ekuaibaosim.AppSecurity, "EKUAIBAO_APP_KEY="+ekuaibaosim.AppKey)
	p := mount(tb, s)
	return p, filepath.Join(p.dir, "hesi")
}

// linkCalls is how many calls for links there were, none of them of both kinds.
func (e *ekuaibao) linkCalls(tb testing.TB) int {
	tb.Helper()
	calls := e.Calls(ekuaibaosim.LinksCall)
	for _, c := range calls {
		assert.Contains(tb, []int{0, c.Items}, c.Drive, "links of a drive are asked for apart")
	}
	return len(calls)
}

// requireClean wants no request that a store does not sign.
func (e *ekuaibao) requireClean(tb testing.TB) {
	tb.Helper()
	totals := e.Totals()
	assert.Zero(tb, totals.Heads)
	assert.Zero(tb, totals.Unsigned)
	assert.Zero(tb, totals.Leaks)
}

// Every store, whose signatures are over the address as it was issued, in all
// the ways that it may answer.
func TestEkuaibao_Stores(t *testing.T) {
	t.Parallel()
	for name, conduct := range map[string]ekuaibaosim.Conduct{
		"as documented": {}, "clamps": {Clamps: true}, "no ranges": {NoRanges: true}, "no tags": {NoETag: true, NoCRC: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEkuaibao(t)
			for _, store := range ekuaibaosim.Stores() {
				e.SetConduct(store, conduct)
			}
			for _, size := range []int64{0, 1, 65536, 65537, 300_001, 5 * mib} {
				e.add(size, ekuaibaosim.Stores()...)
			}
			_, dir := mountEkuaibao(t, e, settings{}, "")
			for at, content := range e.files {
				info, err := os.Stat(filepath.Join(dir, at))
				require.NoError(t, err)
				assert.Equal(t, content.Size(), info.Size(), at)
				requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, at)))
			}
			e.requireClean(t)
			assert.Equal(t, 2, e.linkCalls(t), "one for each kind")
		})
	}
}

// A store that tells another checksum than the bytes have.
func TestEkuaibao_WrongChecksum(t *testing.T) {
	t.Parallel()
	e := startEkuaibao(t)
	e.SetConduct(ekuaibaosim.OSS, ekuaibaosim.Conduct{WrongCRC: true})
	at := filepath.Join(e.add(3*mib, ekuaibaosim.OSS), fmt.Sprintf("%s 0+α.bin", ekuaibaosim.OSS))
	p, dir := mountEkuaibao(t, e, settings{}, "")
	_, err := os.ReadFile(filepath.Join(dir, at))
	require.ErrorIs(t, err, unix.EIO)
	assert.Contains(t, p.log.String(), "CRC-64")
}

// A file that was replaced in its drive by one of another length than its key
// tells: who reads it gets all of it, and then its true size shows.
func TestEkuaibao_ReplacedInItsDrive(t *testing.T) {
	t.Parallel()
	for _, told := range []int64{7_000, 1_000} {
		t.Run(fmt.Sprint(told), func(t *testing.T) {
			t.Parallel()
			e := startEkuaibao(t)
			content := linksim.Pattern(3, 5_000)
			added := e.AddDocument(ekuaibaosim.Document{Title: "expense", Attachments: []ekuaibaosim.File{
				{Name: "a.bin", Content: content, Store: ekuaibaosim.Drive, StaleSize: told},
			}})
			_, dir := mountEkuaibao(t, e, settings{}, "")
			path := filepath.Join(dir, "expense/2026-03/"+added.Code+" expense/a.bin")
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, told, info.Size(), "as the key tells")
			requireSame(t, contentOf(t, content), read(t, path))
			info, err = os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, content.Size(), info.Size())
			e.requireClean(t)
		})
	}
}

// Links that live for five seconds, of each store, under a slow reader.
func TestEkuaibao_SlowReaderOfEachStore(t *testing.T) {
	t.Parallel()
	const life = 5 * time.Second
	e := startEkuaibao(t)
	e.SetLinkTerms(ekuaibaosim.LinkTerms{Life: life, ISODate: true})
	for _, store := range ekuaibaosim.Stores() {
		e.SetConduct(store, ekuaibaosim.Conduct{NoCRC: true}) // which is reckoned for each request
	}
	e.add(48*mib, ekuaibaosim.Stores()...)
	_, root := mountEkuaibao(t, e, settings{log: `level = "info"`}, fmt.Sprintf("link_ttl = %q", life))
	for at, content := range e.files {
		t.Run(filepath.Base(at), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			readFor(t, filepath.Join(root, at), content, 3*life)
			lives := int(time.Since(began)/life) + 1
			links := e.Links(e.ids[at])
			assert.GreaterOrEqual(t, len(links), 2)
			assert.LessOrEqual(t, len(links), 2*lives+1, "one a life, of which a margin is taken off")
			e.requireClean(t)
		})
	}
}

// Links that are taken back: each store says so in its own way.
func TestEkuaibao_TakenBack(t *testing.T) {
	t.Parallel()
	for _, store := range ekuaibaosim.Stores() {
		t.Run(string(store), func(t *testing.T) {
			t.Parallel()
			e := startEkuaibao(t)
			at := filepath.Join(e.add(20*mib, store), fmt.Sprintf("%s 0+α.bin", store))
			_, dir := mountEkuaibao(t, e, settings{}, "")
			f := openFile(t, filepath.Join(dir, at))
			requireAt(t, f, e.files[at], 0, 8192)
			before := e.linkCalls(t)
			e.ExpireLinks()
			requireSame(t, contentOf(t, e.files[at]), read(t, f.Name()))
			assert.LessOrEqual(t, e.linkCalls(t)-before, 1, "one renewal")
			e.requireClean(t)
		})
	}
}

// One file makes every call fail that it is in. The others are read.
func TestEkuaibao_SpoilsTheBatch(t *testing.T) {
	t.Parallel()
	e := startEkuaibao(t)
	dir := e.add(1000, slices.Repeat([]ekuaibaosim.Store{ekuaibaosim.OSS}, 20)...)
	bad := filepath.Join(dir, fmt.Sprintf("%s 7+α.bin", ekuaibaosim.OSS))
	e.Refuse(e.ids[bad], ekuaibaosim.Spoils)
	_, root := mountEkuaibao(t, e, settings{}, "")
	for at, content := range e.files {
		if at != bad {
			requireSame(t, contentOf(t, content), read(t, filepath.Join(root, at)))
		}
	}
}

// Sub-directories, invoices, receipts, pictures that are made, and small ones.
func TestEkuaibao_WholeDocument(t *testing.T) {
	t.Parallel()
	e := startEkuaibao(t)
	file := func(name string) ekuaibaosim.File {
		return ekuaibaosim.File{Name: name, Content: linksim.Bytes([]byte(name)), Thumb: linksim.Bytes([]byte("small " + name))}
	}
	invoice := ekuaibaosim.File{Name: "invoice.pdf", Content: linksim.Pattern(1, 100_000)}
	e.AddDocument(ekuaibaosim.Document{
		Code: "B1", Title: "a / b", State: "paid", Attachments: []ekuaibaosim.File{file("a.pdf"), file("b.jpg")},
		Lines:     []ekuaibaosim.Line{{Attachments: []ekuaibaosim.File{file("c.jpg")}, Invoices: []ekuaibaosim.Invoice{{Code: "33", Number: "42", File: invoice}}}},
		Approvals: []ekuaibaosim.File{file("note.txt")},
		Receipts:  []ekuaibaosim.File{{Key: "slip.pdf", Content: linksim.Bytes([]byte("slip"))}},
	})
	_, root := mountEkuaibao(t, e, settings{}, "thumbnails = true")
	dir := filepath.Join(root, "expense/2026-03/B1 a ／ b")
	for name, want := range map[string]string{
		"a.pdf": "a.pdf", "b.jpg": "b.jpg", ".thumbnails/b.jpg": "small b.jpg",
		"detail-1/c.jpg": "c.jpg", "detail-1/.thumbnails/c.jpg": "small c.jpg",
		"approvals/note.txt": "note.txt", "receipts/slip.pdf": "slip",
	} {
		assert.Equal(t, want, string(read(t, filepath.Join(dir, name))), name)
	}
	requireSame(t, contentOf(t, invoice.Content), read(t, filepath.Join(dir, "invoices/invoice.pdf")))
	e.requireClean(t)
	assert.Equal(t, 1, e.linkCalls(t), "for the small pictures; other links came along")

	// A receipt's link is renewed by the call that brought it.
	e.ExpireLinks()
	requireSame(t, contentOf(t, invoice.Content), read(t, filepath.Join(dir, "invoices/invoice.pdf")))
}
