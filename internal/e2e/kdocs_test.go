package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

// tableService is a kdocs with one table, "Shops", of one sheet, "All".
type tableService struct {
	*kdocssim.Server
	document string
	sheet    int
	records  []kdocssim.Record
}

func startTables(tb testing.TB) *tableService {
	tb.Helper()
	server, err := kdocssim.Start()
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, server.Close()) })
	server.AddApp(kdocssim.App{ID: "AK-1", Key: "key", Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}})
	d := server.AddDocument(kdocssim.Document{Name: "Shops.dbt", Sheets: []kdocssim.Sheet{{Name: "All", Fields: []kdocssim.Field{
		{ID: "B", Name: "name"}, {ID: "C", Name: "files", Type: kdocssim.AttachmentType},
	}}}})
	return &tableService{Server: server, document: d.Token, sheet: d.Sheets[0].ID}
}

// add makes a record with attachments, or with none.
func (s *tableService) add(name string, attached ...kdocssim.Attachment) {
	s.records = append(s.records, kdocssim.Record{ID: "r-" + name, Cells: map[string]any{"B": name, "C": attached}})
}

// publish shows what was added.
func (s *tableService) publish() { s.records = s.SetRecords(s.document, s.sheet, s.records) }

// provider is its table of the configuration.
func (s *tableService) provider(more string) string {
	return fmt.Sprintf("name = \"tables\"\ntype = \"kdocs\"\nbase_url = %q\naccess_token = \"env:KDOCS_TOKEN\"\n"+
		"insecure_hosts = [\"127.0.0.1\"]\n%s", s.URL(), more)
}

// mount shows the sheet and returns where.
func (s *tableService) mount(tb testing.TB, set settings, more string) (*process, string) {
	tb.Helper()
	set.providers = []string{s.provider(more)}
	set.env = append(set.env, "KDOCS_TOKEN="+s.Login("AK-1").Access)
	p := mount(tb, set)
	return p, filepath.Join(p.dir, "tables", "Shops", "All")
}

func picture(i int) kdocssim.Attachment {
	return kdocssim.Attachment{Name: fmt.Sprintf("photo %d.png", i), Type: "image/png", Content: linksim.Pattern(uint64(i), 3000)}
}

func text(i int) kdocssim.Attachment {
	return kdocssim.Attachment{Name: fmt.Sprintf("note %d.txt", i), Content: linksim.Pattern(uint64(i), 500)}
}

func TestKdocs_ALargeTable(t *testing.T) {
	t.Parallel()
	needTool(t, "cp")
	const records, files, pictures = 20_000, 5_000, 2_000
	s := startTables(t)
	for i := range records {
		switch name := fmt.Sprintf("shop %05d", i); {
		case i%4 != 0:
			s.add(name)
		case i/4%5 < 2:
			s.add(name, picture(i))
		default:
			s.add(name, text(i))
		}
	}
	s.publish()
	_, dir := s.mount(t, settings{log: `level = "warn"`}, "")
	assert.Equal(t, files, lines(run(t, "find", dir, "-type", "f")))
	assert.Equal(t, records/1000, s.Counts(kdocssim.Records).Calls, "as few as the pages need")
	assert.Zero(t, s.Counts(kdocssim.AttachmentURLs).Calls, "a listing costs no link")

	copied := t.TempDir()
	out, err := exec.Command("find", dir, "-name", "*.png", "-exec", "cp", "-t", copied, "{}", "+").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, pictures/100, s.Counts(kdocssim.AttachmentURLs).Calls)
	for _, r := range s.records {
		attached, _ := r.Cells["C"].([]kdocssim.Attachment)
		for _, a := range attached {
			if a.Type == "image/png" {
				requireSame(t, contentOf(t, a.Content), read(t, filepath.Join(copied, a.Name)))
			}
		}
	}
	assert.Zero(t, s.Counts(kdocssim.AttachmentURLs).Mistaken)
}

func TestKdocs_WhatNeverResolvesIsAskedOnce(t *testing.T) {
	t.Parallel()
	needTool(t, "grep")
	s := startTables(t)
	const files = 3_000
	for i := range files {
		s.add(fmt.Sprintf("shop %04d", i), text(i))
	}
	s.publish()
	_, dir := s.mount(t, settings{log: `level = "error"`}, "")
	search := func() {
		out, err := exec.Command("grep", "-r", "needle", dir).CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(out), "not supported")
		assert.Equal(t, files/100, s.Counts(kdocssim.AttachmentURLs).Calls)
	}
	search()
	search()
}

func TestKdocs_LengthsThatAreNotTheCells(t *testing.T) {
	t.Parallel()
	s := startTables(t)
	larger, smaller := picture(1), picture(2)
	larger.Size, smaller.Size = 7_000, 1_000
	s.add("first", larger, smaller)
	s.publish()
	for _, ranges := range []bool{true, false} {
		s.Origin().SetBehaviour("", linksim.Behaviour{NoRanges: !ranges})
		set := settings{cacheDir: t.TempDir()}
		p, dir := s.mount(t, set, "")
		info, err := os.Stat(filepath.Join(dir, "first", larger.Name))
		require.NoError(t, err)
		assert.EqualValues(t, 7000, info.Size(), "as the cell tells")
		for _, a := range []kdocssim.Attachment{larger, smaller} {
			path := filepath.Join(dir, "first", a.Name)
			requireSame(t, contentOf(t, a.Content), read(t, path))
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.EqualValues(t, 3000, info.Size())
		}
		require.NoError(t, p.stop(t, unix.SIGTERM))
		_, dir = s.mount(t, set, "")
		info, err = os.Stat(filepath.Join(dir, "first", larger.Name))
		require.NoError(t, err)
		assert.EqualValues(t, 3000, info.Size(), "also after a restart")
	}
}

func TestKdocs_LinksDieInTheMiddle(t *testing.T) {
	t.Parallel()
	s := startTables(t)
	a := kdocssim.Attachment{Name: "large.png", Content: linksim.Pattern(5, 24*mib)}
	s.add("first", a)
	s.publish()
	s.SetLinkTerms(kdocssim.LinkTerms{Life: 1500 * time.Millisecond}) // instead of ten minutes
	s.Origin().SetBehaviour("", linksim.Behaviour{BytesPerSecond: 2 * mib})
	_, dir := s.mount(t, settings{read: "streams = 1"}, "")
	requireSame(t, contentOf(t, a.Content), read(t, filepath.Join(dir, "first", a.Name)))
	assert.Greater(t, s.Counts(kdocssim.AttachmentURLs).Calls, 1)
}

func TestKdocs_TheCallsOfADay(t *testing.T) {
	t.Parallel()
	for _, shape := range []kdocssim.Over{kdocssim.Over429, kdocssim.OverBare, kdocssim.OverCode, kdocssim.Over403} {
		t.Run(string(shape), func(t *testing.T) {
			s := startTables(t)
			s.SetOverQuota(shape)
			for i := range 3 { // apart, so that they do not share a call
				s.add(fmt.Sprint(i), picture(i))
			}
			s.publish()
			set := settings{cacheDir: t.TempDir()}
			p, dir := s.mount(t, set, "")
			first := filepath.Join(dir, "0", "photo 0.png")
			requireSame(t, contentOf(t, linksim.Pattern(0, 3000)), read(t, first))
			s.ExpireLinks()
			s.SetQuota(kdocssim.AttachmentURLs, 0)
			requireFails(t, filepath.Join(dir, "1", "photo 1.png"), nil, unix.EDQUOT)
			requireFails(t, filepath.Join(dir, "2", "photo 2.png"), nil, unix.EDQUOT)
			requireSame(t, contentOf(t, linksim.Pattern(0, 3000)), read(t, first))
			over := s.Counts(kdocssim.AttachmentURLs).OverQuota
			require.NoError(t, p.stop(t, unix.SIGTERM))

			s.SetQuota(kdocssim.AttachmentURLs, -1) // nobody asks
			_, dir = s.mount(t, set, "")
			requireFails(t, filepath.Join(dir, "2", "photo 2.png"), nil, unix.EDQUOT)
			requireSame(t, contentOf(t, linksim.Pattern(0, 3000)), read(t, filepath.Join(dir, "0", "photo 0.png")))
			assert.Equal(t, 1, over)
		})
	}
}

func TestKdocs_OurOwnBudget(t *testing.T) {
	t.Parallel()
	s := startTables(t)
	s.add("0", picture(0), text(0))
	s.publish()
	_, dir := s.mount(t, settings{mount: "xattrs = true"}, "daily_calls = 4\n")
	requireSame(t, contentOf(t, linksim.Pattern(0, 3000)), read(t, filepath.Join(dir, "0", "photo 0.png")))
	requireFails(t, filepath.Join(dir, "0", "note 0.txt"), nil, unix.EDQUOT)
	assert.Equal(t, 1, s.Counts(kdocssim.AttachmentURLs).Calls, "files, schemas, records, links: four in all")
}

// What the last run listed fills the calls for links, though it is on disk yet.
func TestKdocs_CopyAfterARestart(t *testing.T) {
	t.Parallel()
	needTool(t, "cp")
	const files = 300
	s := startTables(t)
	for i := range files {
		s.add(fmt.Sprintf("shop %03d", i), picture(i))
	}
	s.publish()
	set := settings{cacheDir: t.TempDir()}
	p, dir := s.mount(t, set, "")
	assert.Equal(t, files, lines(run(t, "find", dir, "-type", "f")))
	require.NoError(t, p.stop(t, unix.SIGTERM))
	_, dir = s.mount(t, set, "")
	copied := t.TempDir()
	run(t, "cp", "-r", dir, copied)
	assert.Equal(t, files/100, s.Counts(kdocssim.AttachmentURLs).Calls)
	assert.Equal(t, 1, s.Counts(kdocssim.Records).Calls)
	for i := range files {
		requireSame(t, contentOf(t, picture(i).Content), read(t, filepath.Join(copied, "All", fmt.Sprintf("shop %03d/photo %d.png", i, i))))
	}
}
