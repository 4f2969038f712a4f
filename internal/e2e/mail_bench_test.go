package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const (
	// mailSecret is that of every app; it must not be printed.
	mailSecret = feishusim.Marker + "-app-secret"
	// mailSecretEnv is where attachfs finds it.
	mailSecretEnv = "FEISHU_APP_SECRET"
	// tick is how often a test looks whether something has come.
	tick = 5 * time.Millisecond
)

var mailScopes = []string{
	"mail:user_mailbox:readonly", "mail:user_mailbox.folder:read", "mail:user_mailbox.message:readonly",
	"mail:user_mailbox.message.subject:read", "mail:user_mailbox.message.address:read",
	"mail:user_mailbox.message.body:read",
}

// mailbox is one of a simulated Feishu, which an app of its own reads: calls are
// counted for each app.
type mailbox struct {
	*feishusim.Server
	address, app string
	files        map[string]linksim.Content // by path in the mailbox
	ids          map[string]string          // of attachments, likewise
	messages     int
}

// startMailbox starts a Feishu with one mailbox, which is empty.
func startMailbox(tb testing.TB) *mailbox {
	tb.Helper()
	server, err := feishusim.Start()
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, server.Close()) })
	return addMailbox(server, "finance")
}

// lenient lets calls come twice as close together as Feishu does: those of a
// busy machine leave in time and arrive less evenly.
func (m *mailbox) lenient() { m.SetTimeScale(2) }

func addMailbox(server *feishusim.Server, name string) *mailbox {
	m := &mailbox{
		Server: server, address: name + "@example.com", app: "cli_" + name,
		files: make(map[string]linksim.Content), ids: make(map[string]string),
	}
	server.AddApp(feishusim.App{ID: m.app, Secret: mailSecret, Scopes: mailScopes, DataRange: []string{m.address}})
	server.AddMailbox(m.address)
	return m
}

// add adds a message with attachments of these sizes to the inbox, and returns
// the directory that it is in the mailbox.
func (m *mailbox) add(sizes ...int64) string {
	return m.addTo("INBOX", "Inbox", sizes...)
}

func (m *mailbox) addTo(folder, name string, sizes ...int64) string {
	m.messages++
	date := time.Date(2026, 3, 1, 1, m.messages, 0, 0, time.UTC) // 9 o'clock in China
	subject := fmt.Sprintf("message %d", m.messages)
	dir := name + "/" + date.Add(8*time.Hour).Format("2006-01-02 1504 ") + subject
	mail := feishusim.Message{Folder: folder, Subject: subject, Date: date}
	for i, size := range sizes {
		content := linksim.Pattern(uint64(m.messages*100+i), size)
		mail.Attachments = append(mail.Attachments, feishusim.Attachment{Name: fmt.Sprintf("%d.pdf", i), Content: content})
		m.files[path.Join(dir, mail.Attachments[i].Name)] = content
	}
	for i, id := range m.AddMessage(m.address, mail).Attachments {
		m.ids[path.Join(dir, mail.Attachments[i].Name)] = id
	}
	return dir
}

// fill adds n messages with one to five attachments each, most of them small.
func (m *mailbox) fill(n int) {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	for range n {
		sizes := make([]int64, 1+random.IntN(5))
		for i := range sizes {
			sizes[i] = 1024<<random.IntN(12) + random.Int64N(1024)
		}
		m.add(sizes...)
	}
}

// table is that of the provider that reads the mailbox, called by its address
// up to the @.
func (m *mailbox) table(more ...string) string {
	name, _, _ := strings.Cut(m.address, "@")
	return fmt.Sprintf("name = %q\ntype = \"feishu-mail\"\nbase_url = %q\napp_id = %q\napp_secret = \"env:%s\"\nmailbox = %q\n",
		name, m.URL(), m.app, mailSecretEnv, m.address) +
		"insecure_hosts = [\"127.0.0.1\"]\n" + strings.Join(more, "\n")
}

// mountMail mounts mailboxes beside what s has. Nothing that Feishu keeps secret
// may be printed.
func mountMail(tb testing.TB, s settings, mailboxes ...*mailbox) *process {
	tb.Helper()
	for _, m := range mailboxes {
		s.providers = append(s.providers, m.table())
	}
	s.env = append(s.env, mailSecretEnv+"="+mailSecret)
	var p *process
	tb.Cleanup(func() { // after the process has ended
		if p != nil {
			assert.NotContains(tb, p.log.String(), feishusim.Marker, "a secret was printed")
		}
	})
	p = mount(tb, s)
	return p
}

// mountMailbox mounts a mailbox alone and returns its directory.
func mountMailbox(tb testing.TB, m *mailbox, s settings) (*process, string) {
	tb.Helper()
	p := mountMail(tb, s, m)
	name, _, _ := strings.Cut(m.address, "@")
	return p, filepath.Join(p.dir, name)
}

// requireHas wants every file of the mailbox in dir, and no other.
func (m *mailbox) requireHas(tb testing.TB, dir string) {
	tb.Helper()
	for name, content := range m.files {
		requireSame(tb, contentOf(tb, content), read(tb, filepath.Join(dir, name)))
	}
	assert.Equal(tb, len(m.files), lines(run(tb, "find", dir, "-type", "f")))
}

// linkCalls is how many calls for links there were.
func (m *mailbox) linkCalls() int { return m.Counts(feishusim.DownloadURL).Calls }

// linkRate is how many calls for links a second there were that were not refused.
func (m *mailbox) linkRate() float64 {
	var times []time.Time
	for _, r := range m.Requests() {
		if strings.HasSuffix(r.Path, "/download_url") && r.Status == 200 {
			times = append(times, r.Time)
		}
	}
	if len(times) < 2 {
		return 0
	}
	return float64(len(times)-1) / times[len(times)-1].Sub(times[0]).Seconds()
}

// How much of the one call for links a second that Feishu allows does copying a
// mailbox use? It takes as long as that: 200 messages, or 30 with -short, in
// true seconds.
func BenchmarkMail_CopyOfAMailbox(b *testing.B) {
	messages := 199
	if testing.Short() {
		messages = 29
	}
	m := startMailbox(b)
	m.fill(messages)
	m.add(40 * mib)
	var f figures
	for b.Loop() {
		p, dir := mountMailbox(b, m, benchSettings)
		m.ResetCounts()
		copied := filepath.Join(b.TempDir(), "copied")
		began := time.Now()
		out, err := exec.Command("cp", "-r", dir, copied).CombinedOutput()
		require.NoError(b, err, string(out))
		f.add("s", since(began))
		calls, links := m.Counts(feishusim.DownloadURL), m.LinkTotals()
		f.add("link-calls", float64(calls.Calls))
		f.add("link-calls/s", m.linkRate())
		f.add("refused", float64(calls.Refused))
		f.add("requests/file", float64(links.Gets)/float64(len(m.files)))
		m.requireHas(b, copied)
		require.Zero(b, links.OverUses+links.DeadUses+links.Heads)
		stopNow(b, p)
	}
	f.report(b)
}
