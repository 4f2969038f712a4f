package feishudocs_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishudocs"
)

// filesOf are the files of the first records of a table.
func filesOf(records []resolver.Entry) (ids []resolver.ID) {
	for _, r := range records {
		for _, e := range r.Children {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// requireServed wants a link that serves for each.
func requireServed(t *testing.T, answers []resolver.Answer) {
	t.Helper()
	for _, a := range answers {
		require.NoError(t, a.Err)
		text, resp := body(t, a.Link, "")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.True(t, strings.HasPrefix(text, "content of "), text)
	}
}

// A base with advanced permission wants to know in which cells the media are.
func TestLinks_Extra(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddBase("", invoices(10, true))
	p, table := baseDir(t, cfg, ids.Base)
	files := filesOf(list(t, p, table))
	assert.Equal(t, resolver.Batch{Lane: "media", Group: ids.Base + " " + ids.Tables[0], Size: 5}, p.Batch(files[0]))
	for _, conduct := range []feishusim.ExtraConduct{{}, {Empty400: true}} {
		s.SetExtra(conduct)
		answers, err := p.Resolve(t.Context(), files[:5])
		require.NoError(t, err)
		requireServed(t, answers)
	}
	assert.Equal(t, 2, s.Counts(feishusim.MediaLinks).Calls)
}

// One without may refuse it; then it is left out from then on.
func TestLinks_NeedlessExtra(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddBase("", invoices(10, false))
	p, table := baseDir(t, cfg, ids.Base)
	files := filesOf(list(t, p, table))
	answers, err := p.Resolve(t.Context(), files[:5])
	require.NoError(t, err)
	requireServed(t, answers)
	assert.Equal(t, 1, s.Counts(feishusim.MediaLinks).Calls)

	s.SetExtra(feishusim.ExtraConduct{RefuseNeedless: true})
	for _, calls := range []int{3, 4} {
		answers, err := p.Resolve(t.Context(), files[:5])
		require.NoError(t, err)
		requireServed(t, answers)
		assert.Equal(t, calls, s.Counts(feishusim.MediaLinks).Calls)
	}
}

// A token that gets no link makes the whole call fail, or is left out.
func TestLinks_OneOfFive(t *testing.T) {
	s, cfg := start(t)
	var blocks []feishusim.Block
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		blocks = append(blocks, feishusim.FileBlock(media(name)))
	}
	docx := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: blocks})
	p, dir := docxDir(t, cfg, docx.Document)
	var files []resolver.ID
	for _, e := range list(t, p, dir) {
		files = append(files, e.ID)
	}
	s.SetForbidden(docx.Media[2], true)
	_, err := p.Resolve(t.Context(), files)
	require.ErrorIs(t, err, resolver.ErrPermission, "about some of them: the broker asks in parts")
	require.NotErrorIs(t, err, resolver.ErrCredentials)
	answers, err := p.Resolve(t.Context(), files[2:3])
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrPermission)

	s.SetBatch(feishusim.BatchConduct{OmitForbidden: true})
	answers, err = p.Resolve(t.Context(), files)
	require.NoError(t, err)
	require.ErrorIs(t, answers[2].Err, resolver.ErrNotExist)
	requireServed(t, append(answers[:2:2], answers[3:]...))
}

// Where no link can be had at all, the medium is read by calls of the API.
func TestLinks_DirectInstead(t *testing.T) {
	for _, advanced := range []bool{false, true} {
		s, cfg := start(t)
		ids := s.AddBase("", invoices(10, advanced))
		p, table := baseDir(t, cfg, ids.Base)
		files := filesOf(list(t, p, table))
		s.Refuse(feishusim.MediaLinks, 100, 400, 1061002)
		_, err := p.Resolve(t.Context(), files[:5])
		require.ErrorIs(t, err, resolver.ErrRejected, "first find out which one it is about")
		answers, err := p.Resolve(t.Context(), files[:1])
		require.NoError(t, err)
		requireServed(t, answers)
		link := answers[0].Link
		assert.True(t, strings.HasPrefix(link.URLs[0].Reveal(), s.URL()+"/open-apis/drive/v1/medias/"))
		assert.EqualValues(t, 8<<20, link.Least)
		require.NoError(t, link.Meter.Turn(t.Context()))
		assert.Equal(t, 1, p.Usage()[0].Used)
	}
}

// A file that may be seen and not downloaded does not cost the day's downloads.
func TestLinks_DownloadRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d feishudocs.Denials
		d.Note("a")
		assert.False(t, d.Hold("a"), "the token may have been to blame")
		d.Note("a")
		assert.True(t, d.Hold("a"))
		assert.False(t, d.Hold("b"))
		time.Sleep(time.Hour)
		assert.False(t, d.Hold("a"))
		d.Note("a")
		assert.False(t, d.Hold("a"), "from the beginning")
	})
	s, cfg := start(t)
	s.AddDriveFile(s.DriveRoot(""), feishusim.DriveFile{Name: "f"})
	p := connect(t, cfg)
	file := list(t, p, resolver.Root)[0].ID
	for range 2 {
		answers, err := p.Resolve(t.Context(), []resolver.ID{file})
		require.NoError(t, err)
		require.NoError(t, answers[0].Err)
		answers[0].Link.Meter.Denied()
	}
	answers, err := p.Resolve(t.Context(), []resolver.ID{file})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrPermission)
	p.Renew(&feishudocs.Config{AppSecret: cfg.AppSecret})
	answers, err = p.Resolve(t.Context(), []resolver.ID{file})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err, "after SIGHUP")
}

// The example of the page that the provider began with.
func TestLinks_SeedsExample(t *testing.T) {
	const token = "boxcnrHpsg1QDqXAAAyachabcef"
	example, err := os.ReadFile("testdata/batch_get_tmp_download_url.json")
	require.NoError(t, err)
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization"))
		w.Header().Set("Date", time.Unix(1624431067, 0).UTC().Format(http.TimeFormat))
		_, _ = w.Write(example)
	}))
	defer server.Close()
	p := feishudocs.New(feishudocs.Config{BaseURL: server.URL, AccessToken: resolver.NewSecret("u-7f1bcd13fc57d46bac21793a18e560")}, nil)
	defer p.Close()
	id := resolver.ID("media/doxcnSomeDocument/" + token)
	require.NoError(t, p.Turn(t.Context(), p.Batch(id).Lane))
	answers, err := p.Resolve(t.Context(), []resolver.ID{id, "media/doxcnSomeDocument/boxNotInTheAnswer"})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"GET /open-apis/drive/v1/medias/batch_get_tmp_download_url?file_tokens=boxNotInTheAnswer&file_tokens=" + token +
			" Bearer u-7f1bcd13fc57d46bac21793a18e560",
	}, asked)
	require.NoError(t, answers[0].Err)
	link := answers[0].Link
	assert.Equal(t, "internal-api-drive-stream.feishu.cn", link.Host())
	assert.Equal(t, 24*time.Hour, link.Lifetime)
	assert.Equal(t, time.Unix(1624431067, 0).UTC(), link.ServerTime)
	assert.Empty(t, link.Header)
	require.ErrorIs(t, answers[1].Err, resolver.ErrNotExist)
}
