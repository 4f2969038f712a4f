package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

// Two mailboxes of a tenant, each read by an app of its own, so that their limits
// are two as well.
func TestMail_Copies(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"cp", "rsync"} {
		needTool(t, tool)
	}
	finance := startMailbox(t)
	finance.lenient()
	sales := addMailbox(finance.Server, "sales")
	finance.fill(29)
	finance.add(40 * mib)
	sales.fill(30)
	p := mountMail(t, settings{log: `level = "info"`}, finance, sales)
	copied, synced := t.TempDir(), t.TempDir()
	var copying sync.WaitGroup
	for _, name := range []string{"finance", "sales"} {
		copying.Go(func() {
			out, err := exec.Command("cp", "-r", filepath.Join(p.dir, name), copied).CombinedOutput()
			assert.NoError(t, err, string(out))
		})
	}
	copying.Wait()
	run(t, "rsync", "-a", p.dir+"/", synced)
	noTransfer(t, p.dir, synced)
	for _, to := range []string{copied, synced} {
		finance.requireHas(t, filepath.Join(to, "finance"))
		sales.requireHas(t, filepath.Join(to, "sales"))
	}

	links, calls := finance.LinkTotals(), finance.Counts(feishusim.DownloadURL)
	assert.Equal(t, feishusim.LinkCounts{Gets: len(finance.files) + len(sales.files), Bytes: links.Bytes}, links,
		"each file once, and nothing else")
	assert.Equal(t, finance.messages+sales.messages, calls.Calls-calls.Refused, "one call for each message")
	assert.LessOrEqual(t, 10*calls.Refused, calls.Calls, "a busy machine may send a call late and the next one in time")
}

func TestMail_PlainListingCostsNoLink(t *testing.T) {
	t.Parallel()
	needTool(t, "ls")
	m := startMailbox(t)
	m.fill(30)
	of := m.add(1000, 2000, 3000, 4*mib, 5000)
	_, dir := mountMailbox(t, m, settings{})
	run(t, "ls", "-R", dir)
	assert.Equal(t, len(m.files), lines(run(t, "find", dir, "-type", "f")))
	assert.Zero(t, m.linkCalls())

	out := run(t, "ls", "-l", filepath.Join(dir, of))
	assert.Regexp(t, ` 1000 .*\n.* 2000 .*\n.* 3000 .*\n.* 4194304 .*\n.* 5000 `, out)
	assert.Equal(t, 1, m.linkCalls())
	for i := range 5 {
		name := fmt.Sprintf("%s/%d.pdf", of, i)
		requireSame(t, contentOf(t, m.files[name]), read(t, filepath.Join(dir, name)))
	}
	assert.Equal(t, feishusim.LinkCounts{Gets: 5, Bytes: 11_000 + 4*mib}, m.LinkTotals(), "the sizes came with the bytes")
}

func TestMail_TwoReadersOfALargeAttachment(t *testing.T) {
	t.Parallel()
	needTool(t, "tail")
	const size, later = 40 * mib, 30*mib + 4711
	m := startMailbox(t)
	name := m.add(size) + "/0.pdf"
	_, dir := mountMailbox(t, m, settings{})
	var reading sync.WaitGroup
	want := contentOf(t, m.files[name])
	for _, from := range []int{0, later} {
		reading.Go(func() {
			out, err := exec.Command("tail", "-c", fmt.Sprintf("+%d", from+1), filepath.Join(dir, name)).Output()
			assert.NoError(t, err)
			assert.True(t, slices.Equal(want[from:], out), "from %d: other bytes, %d of them", from, len(out))
		})
	}
	reading.Wait()
	assert.Equal(t, feishusim.LinkCounts{Gets: 1, Bytes: size}, m.LinkTotals())
	assert.Equal(t, 1, m.linkCalls())
}

// What one reads from links that end early, in every way that Feishu may have.
func TestMail_LinksThatFail(t *testing.T) {
	t.Parallel()
	const size = 40 * mib
	for _, row := range []struct {
		name     string
		uses     int // that links really have; we are told of two
		conduct  feishusim.LinkConduct
		gets     []int // of each link
		overUses int
	}{
		{name: "cut", gets: []int{2}},
		{name: "cut, no ranges", conduct: feishusim.LinkConduct{NoRanges: true}, gets: []int{2}},
		{name: "cut, no length", conduct: feishusim.LinkConduct{Chunked: true}, gets: []int{2}},
		{name: "used up, 403", uses: 1, gets: []int{2, 1}, overUses: 1},
		{name: "used up, 404", uses: 1, conduct: feishusim.LinkConduct{UsedUpStatus: 404}, gets: []int{2, 1}, overUses: 1},
		{name: "used up, 410", uses: 1, conduct: feishusim.LinkConduct{UsedUpStatus: 410}, gets: []int{2, 1}, overUses: 1},
		{name: "used up, 200", uses: 1, conduct: feishusim.LinkConduct{UsedUpStatus: 200}, gets: []int{2, 1}, overUses: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := startMailbox(t)
			name := m.add(size) + "/0.pdf"
			m.SetLinkTerms(feishusim.LinkTerms{Uses: row.uses})
			m.SetLinkConduct(row.conduct)
			m.CutOnce(m.ids[name], 17*mib+4711)
			_, dir := mountMailbox(t, m, settings{})
			requireSame(t, contentOf(t, m.files[name]), read(t, filepath.Join(dir, name)))
			var gets []int
			for _, link := range m.Links(m.ids[name]) {
				gets = append(gets, link.Gets)
			}
			assert.Equal(t, row.gets, gets)
			assert.Equal(t, len(row.gets), m.linkCalls())
			assert.Equal(t, row.overUses, m.LinkTotals().OverUses)
			assert.Zero(t, m.Counts(feishusim.DownloadURL).Refused)
		})
	}
}

// A file manager looks into every file of a folder. A person who opens one of
// another message does not wait for those.
func TestMail_PeopleFirst(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "find", "xargs", "head", "cat"} {
		needTool(t, tool)
	}
	m := startMailbox(t)
	m.lenient()
	for range 100 {
		m.add(200_000, 200_000, 200_000)
	}
	opened := m.addTo(m.AddFolder(m.address, "", "Opened"), "Opened", 100_000) + "/0.pdf"
	p, dir := mountMailbox(t, m, settings{})
	require.NotEmpty(t, names(filepath.Dir(filepath.Join(dir, opened))))
	stop := scan(t, filepath.Join(dir, "Inbox"), []string{"sh", "-c", `find "$0" -type f -print0 | xargs -0 -P 8 -n 1 head -c 65536 >/dev/null`})
	require.Eventually(t, func() bool { return m.linkCalls() >= 3 }, patience, tick)

	got, err := exec.Command("cat", filepath.Join(dir, opened)).Output()
	stop()
	require.NoError(t, err)
	requireSame(t, contentOf(t, m.files[opened]), got)
	most := 2 + m.Counts(feishusim.DownloadURL).Refused // one under way, one for who waits longest, and those that were too early
	assert.LessOrEqual(t, callsBefore(t, p, m.ids[opened]), most)
}

func TestMail_TokensRevokedOnTheWay(t *testing.T) {
	t.Parallel()
	needTool(t, "find")
	m := startMailbox(t)
	const pages = 70 // at ten a second
	for range pages * 20 {
		m.add(1000)
	}
	p, dir := mountMailbox(t, m, settings{log: `level = "info"`})
	var found []byte
	var err error
	var finding sync.WaitGroup
	finding.Go(func() { found, err = exec.Command("find", dir, "-type", "f").CombinedOutput() })
	// A token that is refused in its first five seconds is not replaced.
	assert.Eventually(t, func() bool { return m.Counts(feishusim.Messages).Calls >= pages-8 }, patience, tick)
	m.RevokeTokens()
	finding.Wait()
	require.NoError(t, err, string(found))
	assert.Equal(t, len(m.files), lines(string(found)))
	for name, content := range m.files {
		requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, name)))
		break
	}
	assert.Equal(t, 2, m.Counts(feishusim.TenantToken).Calls, "the first, and once again")
	assert.NotContains(t, p.log.String(), "level=ERROR")
}

// What an administrator forgot is told, in the mount and by check, and the rest
// of the mount works.
func TestMail_NotPermitted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		app  feishusim.App
		word string
	}{
		{"no scope", feishusim.App{DataRange: []string{feishusim.AllMailboxes}}, "mail:user_mailbox.folder:read"},
		{"no data range", feishusim.App{Scopes: mailScopes}, "data range"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, other := startMailbox(t), startMailbox(t)
			row.app.ID, row.app.Secret = m.app, mailSecret
			m.AddApp(row.app)
			m.add(1000)
			other.address, other.app = "other@example.com", "cli_other"
			other.AddApp(feishusim.App{ID: other.app, Secret: mailSecret, Scopes: mailScopes, DataRange: []string{other.address}})
			other.add(1000)
			p := mountMail(t, settings{}, m, other)
			requireForbidden(t, filepath.Join(p.dir, "finance"), row.word)
			other.requireHas(t, filepath.Join(p.dir, "other"))

			cmd := attachfs("check", "--config", p.config)
			cmd.Env = append(cmd.Env, mailSecretEnv+"="+mailSecret)
			got := call(t, cmd)
			assert.Equal(t, 1, got.code)
			assert.Contains(t, got.out, row.word)
			assert.Contains(t, got.out, "ok    provider other, link: 0.pdf")
			assert.NotContains(t, got.out+got.err, feishusim.Marker)
		})
	}
}

// requireForbidden wants a directory that shows nothing but why.
func requireForbidden(t *testing.T, dir, word string) {
	t.Helper()
	const note = "README-attachfs.txt"
	out, err := exec.Command("ls", dir).Output()
	require.Error(t, err, "ls must not be content")
	require.Equal(t, note+"\n", string(out))
	text := string(read(t, filepath.Join(dir, note)))
	assert.Contains(t, text, word)
	assert.NotContains(t, text, feishusim.Marker)
}

func TestMail_MountedAgain(t *testing.T) {
	t.Parallel()
	m := startMailbox(t)
	for range 200 {
		m.add(1000)
	}
	kept := m.add(300_000) + "/0.pdf"
	s := settings{cacheDir: t.TempDir(), mount: `listing_ttl = "2s"`}
	p, dir := mountMailbox(t, m, s)
	assert.Len(t, names(filepath.Join(dir, "Inbox")), m.messages)
	listed := m.listCalls()
	assert.GreaterOrEqual(t, listed, 2*m.messages/20)
	requireSame(t, contentOf(t, m.files[kept]), read(t, filepath.Join(dir, kept)))
	awaitOnDisk(t, s.cacheDir, 300_000)
	require.NoError(t, p.stop(t, unix.SIGTERM))

	fresh := m.add(1000) + "/0.pdf"
	m.ResetCounts()
	p, dir = mountMailbox(t, m, s)
	require.Eventually(t, func() bool { return len(names(filepath.Join(dir, "Inbox"))) == m.messages }, patience, tick)
	assert.LessOrEqual(t, m.listCalls(), listed/2, "what is new, not all again")
	m.requireTree(t, dir)
	requireSame(t, contentOf(t, m.files[fresh]), read(t, filepath.Join(dir, fresh)))
	awaitOnDisk(t, s.cacheDir, 301_000)
	require.NoError(t, p.stop(t, unix.SIGTERM))

	require.NoError(t, m.Close())
	_, dir = mountMailbox(t, m, s)
	m.requireTree(t, dir)
	for _, name := range []string{kept, fresh} {
		requireSame(t, contentOf(t, m.files[name]), read(t, filepath.Join(dir, name)))
	}
}

// listCalls is how many calls listing took.
func (m *mailbox) listCalls() int {
	return m.Counts(feishusim.Messages).Calls + m.Counts(feishusim.BatchGet).Calls + m.Counts(feishusim.GetMessage).Calls
}

// requireTree wants the names of the mailbox in dir, and no others.
func (m *mailbox) requireTree(t *testing.T, dir string) {
	t.Helper()
	found := make(map[string]linksim.Content)
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(dir, name)
			found[name] = m.files[name]
		}
		return err
	}))
	assert.Equal(t, m.files, found)
}

func TestMail_FailedIDs(t *testing.T) {
	t.Parallel()
	needTool(t, "ls")
	m := startMailbox(t)
	of := m.add(1000, 2000, 3000)
	m.SetFails(m.ids[of+"/1.pdf"], true)
	_, dir := mountMailbox(t, m, settings{})
	out := run(t, "ls", "-l", filepath.Join(dir, of))
	assert.Equal(t, 1, strings.Count(out, "----------"), out)
	for name, content := range m.files {
		at := filepath.Join(dir, name)
		info, err := os.Stat(at)
		require.NoError(t, err)
		if name == of+"/1.pdf" {
			assert.Zero(t, info.Mode().Perm())
			requireFails(t, at, nil, unix.EACCES)
			continue
		}
		assert.Equal(t, content.Size(), info.Size())
		requireSame(t, contentOf(t, content), read(t, at))
	}
	assert.Equal(t, 1, m.linkCalls())
	assert.Equal(t, feishusim.LinkCounts{Gets: 2, Bytes: 4000}, m.LinkTotals())
}
