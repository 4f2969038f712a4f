package e2e_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/limit"
)

var docScopes = []string{
	"space:document:retrieve", "drive:drive.metadata:readonly", "drive:file:download", "docs:document.media:download",
	"docx:document:readonly", "sheets:spreadsheet:readonly", "bitable:app:readonly", "wiki:wiki:readonly",
}

// drive is that of a simulated Feishu, which one app reads.
type drive struct {
	*feishusim.Server
	app, root string
	more      string                     // lines of the configuration
	files     map[string]linksim.Content // by path in the drive
	tokens    map[string]string          // of files and media, likewise
	serial    uint64
}

// startDrive starts a Feishu with an empty drive. Its rates are a fifth more than
// the documents' have it: calls of a busy machine leave in time and arrive less
// evenly.
func startDrive(t *testing.T) *drive {
	t.Helper()
	server, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	server.SetTimeScale(1.25)
	d := &drive{Server: server, app: "cli_docs", root: server.DriveRoot(""), files: map[string]linksim.Content{}, tokens: map[string]string{}}
	server.AddApp(feishusim.App{ID: d.app, Secret: mailSecret, Scopes: docScopes})
	return d
}

// mount mounts the drive and returns its directory. Links to its media are plain
// http here, which has to be allowed; files come from the API itself.
func (d *drive) mount(t *testing.T, s settings) (*process, string) {
	t.Helper()
	s.providers = append(s.providers, d.more+fmt.Sprintf(
		"name = \"docs\"\ntype = \"feishu-docs\"\nbase_url = %q\napp_id = %q\napp_secret = \"env:%s\"\ninsecure_hosts = [%q]\n",
		d.URL(), d.app, mailSecretEnv, hostOf(t, d.StreamURL())))
	s.env = append(s.env, mailSecretEnv+"="+mailSecret)
	var p *process
	t.Cleanup(func() { // after the process has ended
		if p != nil {
			assert.NotContains(t, p.log.String(), feishusim.Marker, "a secret was printed")
		}
	})
	p = mount(t, s)
	return p, filepath.Join(p.dir, "docs")
}

func (d *drive) content(size int64) linksim.Content {
	d.serial++
	return linksim.Pattern(d.serial, size)
}

// upload adds a file to the root.
func (d *drive) upload(name string, size int64) (path string) {
	content := d.content(size)
	d.files[name] = content
	d.tokens[name] = d.AddDriveFile(d.root, feishusim.DriveFile{Name: name, Content: content})
	return name
}

// write adds a document with so many files to the root.
func (d *drive) write(title string, files int, size int64) {
	doc := feishusim.Docx{Title: title}
	var names []string
	for i := range files {
		m := feishusim.Media{Name: fmt.Sprintf("%03d.pdf", i), Content: d.content(size)}
		doc.Blocks = append(doc.Blocks, feishusim.FileBlock(m))
		names = append(names, title+"/"+m.Name)
		d.files[title+"/"+m.Name] = m.Content
	}
	for i, token := range d.AddDocx(d.root, doc).Media {
		d.tokens[names[i]] = token
	}
}

// tabulate adds a base with one table of so many records, each with one file.
func (d *drive) tabulate(name string, records int, size int64, advanced bool) {
	table := feishusim.Table{Name: "table", Fields: []feishusim.Field{
		{Name: "No", Type: feishusim.FieldText, Primary: true}, {Name: "Scan", Type: feishusim.FieldAttachment},
	}}
	var names []string
	for i := range records {
		m := feishusim.Media{Name: "scan.pdf", Content: d.content(size)}
		number := fmt.Sprintf("R-%04d", i)
		table.Records = append(table.Records, feishusim.Record{
			Values: map[string]any{"No": number}, Files: map[string][]feishusim.Media{"Scan": {m}},
		})
		names = append(names, name+"/table/"+number+"/"+m.Name)
		d.files[names[i]] = m.Content
	}
	ids := d.AddBase(d.root, feishusim.Base{Name: name, Advanced: advanced, Tables: []feishusim.Table{table}})
	for i, token := range ids.Media {
		d.tokens[names[i]] = token
	}
}

// requireHas wants every file of the drive in dir, and no other.
func (d *drive) requireHas(t *testing.T, dir string) {
	t.Helper()
	for name, content := range d.files {
		requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, name)))
	}
	assert.Equal(t, len(d.files), lines(run(t, "find", dir, "-type", "f")))
}

// Links come five to a call, also those of records with one file each.
func TestDocs_CopiesMedia(t *testing.T) {
	t.Parallel()
	needTool(t, "cp")
	docs, records := 4, 20
	if !brief() {
		docs, records = 16, 200
	}
	d := startDrive(t)
	for i := range docs {
		d.write(fmt.Sprintf("document %02d", i), 25, 20_000)
	}
	d.tabulate("base", records, 20_000, false)
	d.tabulate("base with rights", 2*records, 20_000, true)
	_, dir := d.mount(t, settings{log: `level = "info"`})
	copied := filepath.Join(t.TempDir(), "copied")
	run(t, "cp", "-r", dir, copied)
	d.requireHas(t, copied)
	calls, links := d.Counts(feishusim.MediaLinks), d.LinkTotals()
	// Two calls of a group that meet at its end may leave a place free each.
	assert.InDelta(t, len(d.files)/5, calls.Calls-calls.Refused, 2)
	assert.Zero(t, links.DeadUses+links.Leaks+links.Heads)
	assert.Zero(t, d.Counts(feishusim.MediaDownload).Calls, "no download of the day's was spent")
}

// One that is forbidden costs itself, not those that ride with it.
func TestDocs_ForbiddenAmongFive(t *testing.T) {
	t.Parallel()
	for _, conduct := range []feishusim.BatchConduct{{}, {OmitForbidden: true}} {
		t.Run(fmt.Sprintf("%+v", conduct), func(t *testing.T) {
			t.Parallel()
			d := startDrive(t)
			d.SetBatch(conduct)
			d.write("document", 5, 20_000)
			const forbidden = "document/002.pdf"
			d.SetForbidden(d.tokens[forbidden], true)
			_, dir := d.mount(t, settings{})
			for name, content := range d.files {
				if name != forbidden {
					requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, name)))
				}
			}
			errno := unix.EACCES
			if conduct.OmitForbidden { // which looks as if it were not there
				errno = unix.ENOENT
			}
			requireFails(t, filepath.Join(dir, forbidden), nil, errno)
			assert.LessOrEqual(t, d.Counts(feishusim.MediaLinks).Calls, 12)
			assert.Zero(t, d.Counts(feishusim.MediaDownload).Calls)
		})
	}
}

// A link that dies in the middle of a read is renewed once.
func TestDocs_LinkThatDies(t *testing.T) {
	t.Parallel()
	d := startDrive(t)
	d.write("document", 1, 40*mib)
	const name = "document/000.pdf"
	_, dir := d.mount(t, settings{read: `window = "1MiB"`})
	f := openFile(t, filepath.Join(dir, name))
	got := make([]byte, 40*mib)
	_, err := io.ReadFull(f, got[:20*mib])
	require.NoError(t, err)
	d.ExpireLinks()
	_, err = io.ReadFull(f, got[20*mib:])
	require.NoError(t, err)
	requireSame(t, contentOf(t, d.files[name]), got)
	assert.Equal(t, 2, d.Counts(feishusim.MediaLinks).Calls)
}

// Pictures are named by what they are, if that is wanted, through links that serve
// for reading, too.
func TestDocs_PicturesByWhatTheyAre(t *testing.T) {
	t.Parallel()
	needTool(t, "ls")
	d := startDrive(t)
	d.more = "image_types = true\n"
	doc := feishusim.Docx{Title: "document"}
	want := make(map[string]linksim.Content)
	for i := range 12 {
		start, end := "\x89PNG\r\n\x1a\n", ".png"
		if i%2 == 1 {
			start, end = "\xff\xd8\xff", ".jpg"
		}
		content := linksim.Bytes(append([]byte(start), contentOf(t, d.content(100_000))...))
		doc.Blocks = append(doc.Blocks, feishusim.ImageBlock(feishusim.Media{Content: content}, fmt.Sprintf("figure %02d", i)))
		want[fmt.Sprintf("figure %02d%s", i, end)] = content
	}
	d.AddDocx(d.root, doc)
	_, dir := d.mount(t, settings{})
	dir = filepath.Join(dir, "document")
	assert.Equal(t, slices.Sorted(maps.Keys(want)), names(dir))
	run(t, "ls", "-l", dir)
	looks := d.LinkTotals()
	assert.Equal(t, 12, looks.Gets, "the sizes came along")
	for name, content := range want {
		requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, name)))
	}
	assert.Equal(t, 3, d.Counts(feishusim.MediaLinks).Calls)
	assert.Zero(t, d.LinkTotals().Leaks)
}

// Where each request is one of the day's 10,000 downloads, a large file costs few
// of them.
func TestDocs_LargeDriveFile(t *testing.T) {
	t.Parallel()
	size, most := int64(1<<30), 130
	if brief() {
		size, most = 128*mib, 18
	}
	d := startDrive(t)
	name := d.upload("large.bin", size)
	_, dir := d.mount(t, settings{cache: "disk = 0", log: `level = "info"`})
	info, err := os.Stat(filepath.Join(dir, name))
	require.NoError(t, err)
	require.Equal(t, size, info.Size())
	assert.Equal(t, 1, d.Counts(feishusim.FileDownload).Calls)
	assert.LessOrEqual(t, d.Counts(feishusim.FileDownload).Bytes, int64(64<<10), "the size costs little")

	f := openFile(t, filepath.Join(dir, name))
	got, want := make([]byte, mib), make([]byte, mib)
	for off := int64(0); off < size; off += mib {
		_, err := io.ReadFull(f, got)
		require.NoError(t, err)
		_, err = d.files[name].ReadAt(want, off)
		require.NoError(t, err)
		requireSame(t, want, got)
	}
	calls := d.Counts(feishusim.FileDownload)
	assert.LessOrEqual(t, calls.Calls, most)
	assert.Zero(t, calls.Refused)
	assert.Equal(t, size, calls.Bytes, "no byte twice")
}

// The token is for the API. Where a download leads elsewhere it stays behind.
func TestDocs_DownloadThatLeadsElsewhere(t *testing.T) {
	t.Parallel()
	d := startDrive(t)
	name := d.upload("f.bin", 3*mib)
	d.SetDownloadConduct(feishusim.DownloadConduct{Redirect: true})
	_, dir := d.mount(t, settings{})
	requireSame(t, contentOf(t, d.files[name]), read(t, filepath.Join(dir, name)))
	assert.Zero(t, d.LinkTotals().Leaks)
}

// Downloads whose answers are all that the documents leave open.
func TestDocs_DownloadsOfAnyForm(t *testing.T) {
	t.Parallel()
	for _, conduct := range []feishusim.DownloadConduct{{}, {NoRanges: true}, {NoETag: true}, {WeakETag: true}, {Chunked: true}, {Chunked: true, NoRanges: true}, {Longest: 3 * mib}} {
		t.Run(fmt.Sprintf("%+v", conduct), func(t *testing.T) {
			t.Parallel()
			d := startDrive(t)
			d.SetDownloadConduct(conduct)
			name := d.upload("f.bin", 20*mib+4711)
			_, dir := d.mount(t, settings{})
			d.CutOnce(d.tokens[name], 5*mib+17)
			requireSame(t, contentOf(t, d.files[name]), read(t, filepath.Join(dir, name)))
			assert.LessOrEqual(t, d.Counts(feishusim.FileDownload).Calls, 12)
		})
	}
}

// A file that may not be downloaded is refused as a whole, and takes two calls.
func TestDocs_DownloadRefused(t *testing.T) {
	t.Parallel()
	d := startDrive(t)
	name := d.upload("f.bin", 1000)
	_, dir := d.mount(t, settings{})
	d.Refuse(feishusim.FileDownload, 100, 403, 1061004)
	for range 3 {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm())
		requireFails(t, filepath.Join(dir, name), nil, unix.EACCES)
	}
	assert.LessOrEqual(t, d.Counts(feishusim.FileDownload).Calls, 2)
}

// A token that is revoked in the middle of a file is replaced.
func TestDocs_TokenRevoked(t *testing.T) {
	t.Parallel()
	d := startDrive(t)
	name := d.upload("f.bin", 60*mib)
	_, dir := d.mount(t, settings{read: `window = "1MiB"`})
	f := openFile(t, filepath.Join(dir, name))
	got := make([]byte, 60*mib)
	_, err := io.ReadFull(f, got[:10*mib])
	require.NoError(t, err)
	// A token that is refused in its first five seconds is not replaced.
	time.Sleep(6 * time.Second)
	d.RevokeTokens()
	_, err = io.ReadFull(f, got[10*mib:])
	require.NoError(t, err)
	requireSame(t, contentOf(t, d.files[name]), got)
	assert.Equal(t, 2, d.Counts(feishusim.TenantToken).Calls)
}

// spend writes down that so many downloads were used on a day.
func (d *drive) spend(t *testing.T, cacheDir string, at time.Time, used int) {
	t.Helper()
	period := at.In(time.FixedZone("UTC+8", 8*60*60)).Format(time.DateOnly)
	key := strings.TrimPrefix(d.URL(), "http://") + "/" + d.app + "/drive.download"
	file := limit.NewFile(filepath.Join(cacheDir, "budgets.json"), nil)
	_, err := file.Add(map[string]limit.Count{key: {Period: period, Used: used}})
	require.NoError(t, err)
}

// With the day's downloads spent what is in the cache can be read, the rest fails
// at once, and the next day is another one.
func TestDocs_BudgetOfTheDay(t *testing.T) {
	t.Parallel()
	d := startDrive(t)
	for i := range 4 {
		d.upload(fmt.Sprint(i), 300_000)
	}
	d.write("document", 1, 300_000)
	s := settings{cacheDir: t.TempDir(), mount: "xattrs = true"}
	d.spend(t, s.cacheDir, time.Now(), 10_000-2)
	p, dir := d.mount(t, s)
	file := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	budget := make([]byte, 400)
	requireSame(t, contentOf(t, d.files["0"]), read(t, file(0))) // one for the size, one for the rest
	n, err := unix.Getxattr(dir, "user.attachfs.budget", budget)
	require.NoError(t, err)
	assert.Contains(t, string(budget[:n]), "10,000 of 10,000 calls used, until ")
	for range 3 {
		requireFails(t, file(2), nil, unix.EDQUOT)
		requireSame(t, contentOf(t, d.files["0"]), read(t, file(0)))
	}
	requireSame(t, contentOf(t, d.files["document/000.pdf"]), read(t, filepath.Join(dir, "document/000.pdf")))
	assert.Equal(t, 2, d.Counts(feishusim.FileDownload).Calls)
	awaitOnDisk(t, s.cacheDir, 600_000)
	require.NoError(t, p.stop(t, unix.SIGTERM))

	p, dir = d.mount(t, s)
	requireFails(t, file(3), nil, unix.EDQUOT)
	requireSame(t, contentOf(t, d.files["0"]), read(t, file(0)))
	require.NoError(t, p.stop(t, unix.SIGTERM))

	d.spend(t, s.cacheDir, time.Now().AddDate(0, 0, -1), 10_000)
	_, dir = d.mount(t, s)
	requireSame(t, contentOf(t, d.files["3"]), read(t, file(3)))
}

// A drive with some of everything is listed within the rates, with as many calls
// as there are pages, and once: the next mount has it from disk.
func TestDocs_WholeTree(t *testing.T) {
	t.Parallel()
	needTool(t, "find")
	scale := 1
	if brief() {
		scale = 10
	}
	d := startDrive(t)
	const folders, tables = 5, 2
	for i := range folders {
		folder := d.AddDriveFolder(d.root, fmt.Sprintf("folder %d", i))
		for j := range 2000 / folders / scale {
			d.AddDriveFile(folder, feishusim.DriveFile{Name: fmt.Sprintf("%d.bin", j%300)})
		}
	}
	for i := range 50 / scale {
		d.write(fmt.Sprintf("document %02d", i), 10, 100)
	}
	for i := range 20 / scale {
		tab := feishusim.Tab{}
		for j := range 5 {
			tab.Cells = append(tab.Cells, feishusim.Cell{At: fmt.Sprintf("B%d", 7*j+1), Media: []feishusim.Media{{Content: linksim.Bytes([]byte("x"))}}})
		}
		d.AddSheet(d.root, feishusim.Spreadsheet{Title: fmt.Sprintf("spreadsheet %02d", i), Tabs: []feishusim.Tab{tab}})
	}
	bases := 10 / scale
	for i := range bases {
		d.AddBase(d.root, largeBase(fmt.Sprintf("base %d", i), tables, 1000/tables, 300/tables, i == 0))
	}
	want := 2000/scale + 50/scale*10 + 20/scale*5 + bases*300
	s := settings{cacheDir: t.TempDir(), log: `level = "info"`}
	p, dir := d.mount(t, s)
	first := tree(t, dir)
	assert.Len(t, first, want)

	count := func(call feishusim.Call) int {
		c := d.Counts(call)
		assert.LessOrEqual(t, c.Refused, 1, call)
		return c.Calls - c.Refused
	}
	assert.Equal(t, 1+folders*(1+(2000/folders/scale-1)/200), count(feishusim.DriveFiles))
	assert.Equal(t, 50/scale, count(feishusim.Blocks))
	assert.Equal(t, 50/scale, count(feishusim.Document))
	for _, call := range []feishusim.Call{feishusim.SheetsQuery, feishusim.FloatImages, feishusim.Values} {
		assert.Equal(t, 20/scale, count(call))
	}
	assert.Equal(t, bases*tables, count(feishusim.BaseSearch))
	assert.Equal(t, bases*tables, count(feishusim.BaseFields))
	assert.Equal(t, bases*(1+tables), count(feishusim.BaseTables))
	for _, call := range []feishusim.Call{feishusim.MediaLinks, feishusim.MediaDownload, feishusim.FileDownload, feishusim.Metas} {
		assert.Zero(t, count(call), "a listing costs no link")
	}
	require.NoError(t, p.stop(t, unix.SIGTERM))

	require.NoError(t, d.Close())
	_, dir = d.mount(t, s)
	assert.Equal(t, first, tree(t, dir), "the same names, and nobody was asked")
}

// largeBase has tables of so many records, some of which have a file.
func largeBase(name string, tables, records, files int, advanced bool) feishusim.Base {
	b := feishusim.Base{Name: name, Advanced: advanced}
	for i := range tables {
		table := feishusim.Table{Name: fmt.Sprint("table ", i), Fields: []feishusim.Field{
			{Name: "No", Type: feishusim.FieldText, Primary: true}, {Name: "Scan", Type: feishusim.FieldAttachment},
		}}
		for j := range records {
			r := feishusim.Record{Values: map[string]any{"No": fmt.Sprint("R-", j)}}
			if j < files {
				r.Files = map[string][]feishusim.Media{"Scan": {{Name: "scan.pdf", Content: linksim.Bytes([]byte("x"))}}}
			}
			table.Records = append(table.Records, r)
		}
		b.Tables = append(b.Tables, table)
	}
	return b
}

// tree are the files below dir, by path.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	out, err := exec.Command("find", dir, "-type", "f", "-printf", "%P\n").Output()
	require.NoError(t, err)
	found := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(found)
	return found
}

// What is not shared with the app is told by check and in the mount.
func TestDocs_Check(t *testing.T) {
	t.Parallel()
	d := startDrive(t)
	d.write("document", 1, 1000)
	d.upload("f.bin", 1000)
	p, _ := d.mount(t, settings{})
	cmd := attachfs("check", "--config", p.config)
	cmd.Env = append(cmd.Env, mailSecretEnv+"="+mailSecret)
	got := call(t, cmd)
	assert.Equal(t, 0, got.code, got.out+got.err)
	assert.Contains(t, got.out, "the drive has 1 directories and 1 files")
	assert.Contains(t, got.out, "ok    provider docs, link: f.bin is at 127.0.0.1")
	assert.NotContains(t, got.out+got.err, feishusim.Marker)
}
