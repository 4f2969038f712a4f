package feishusim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const mediaPath = "/open-apis/drive/v1/medias"

func mediumPath(token string) string { return mediaPath + "/" + token + "/download" }

// links asks for links to media.
func (l *library) links(extra string, tokens ...string) reply {
	l.t.Helper()
	var query []string
	for _, token := range tokens {
		query = append(query, "file_tokens", token)
	}
	if extra != "" {
		query = append(query, "extra", extra)
	}
	return l.get(mediaPath+"/batch_get_tmp_download_url", query...)
}

// withMedia adds a document with so many media and returns their tokens.
func (l *library) withMedia(n int) []string {
	var blocks []feishusim.Block
	for i := range n {
		blocks = append(blocks, feishusim.FileBlock(media(fmt.Sprint("medium ", i))))
	}
	return l.AddDocx("", feishusim.Docx{Blocks: blocks}).Media
}

// The example of the page of batch_get_tmp_download_url.
func TestMedia_AnswersAsThePageShows(t *testing.T) {
	l := open(t)
	m := media("a")
	m.Token = "boxcnrHpsg1QDqXAAAyachabcef"
	l.AddDocx("", feishusim.Docx{Blocks: []feishusim.Block{feishusim.ImageBlock(m, "")}})
	r := l.links("", m.Token)
	require.Equal(t, [2]int{200, 0}, r.refusedWith())
	assert.Equal(t, "success", r.body["msg"])
	require.Len(t, r.list("tmp_download_urls"), 1)
	link := r.items("tmp_download_urls")[0]
	assert.Len(t, link, 2)
	assert.Equal(t, m.Token, link["file_token"])
	address := link["tmp_download_url"].(string)
	u, err := url.Parse(address)
	require.NoError(t, err)
	assert.Equal(t, "/space/api/box/stream/download/authcode/", u.Path)
	from, to := times(t, address)
	assert.InDelta(t, 86_400, to-from, 1, "a day, as the example's code says")
	res, body := fetch(t, address)
	assert.Equal(t, "a", body)
	assert.Equal(t, "text/plain", res.Header.Get("Content-Type"))
	assert.Empty(t, res.Header.Get("ETag"))
}

func TestMedia_FiveTokensRepeated(t *testing.T) {
	l := open(t)
	tokens := l.withMedia(6)
	r := l.links("", tokens[:5]...)
	require.Equal(t, 0, r.code())
	assert.ElementsMatch(t, tokens[:5], pluck(r.items("tmp_download_urls"), "file_token"))
	bad := [2]int{400, 1061002}
	assert.Equal(t, bad, l.links("", tokens...).refusedWith(), "six")
	assert.Equal(t, bad, l.links("").refusedWith(), "none")
	assert.Equal(t, bad, l.links("", tokens[0]+","+tokens[1]).refusedWith(), "joined")
	assert.Equal(t, bad, l.links("", `["`+tokens[0]+`"]`).refusedWith(), "as JSON")
	assert.Equal(t, 0, l.links("", tokens[0], tokens[0]).code())
}

func TestMedia_LinksLiveADayWithAnyUses(t *testing.T) {
	l := open(t)
	token := l.withMedia(1)[0]
	address := l.links("", token).items("tmp_download_urls")[0]["tmp_download_url"].(string)
	for range 5 {
		res, _ := fetch(t, address)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	l.SetClock(24*time.Hour - time.Minute)
	res, _ := fetch(t, address)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	l.SetClock(24*time.Hour + time.Minute)
	res, _ = fetch(t, address)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	assert.Equal(t, 7, l.Links(token)[0].Gets)

	l.at(0)
	l.SetMediaLinkTerms(feishusim.LinkTerms{Uses: 1, Life: time.Hour})
	address = l.links("", token).items("tmp_download_urls")[0]["tmp_download_url"].(string)
	from, to := times(t, address)
	assert.InDelta(t, 3600, to-from, 1)
	first, _ := fetch(t, address)
	second, _ := fetch(t, address)
	assert.Equal(t, []int{200, 403}, []int{first.StatusCode, second.StatusCode})
}

func TestMedia_TokensAmongSeveral(t *testing.T) {
	l := open(t)
	tokens := l.withMedia(4)
	l.SetForbidden(tokens[1], true)
	l.Remove(tokens[2])
	given := func(r reply) []string { return pluck(r.items("tmp_download_urls"), "file_token") }

	assert.Equal(t, [2]int{403, 1061004}, l.links("", tokens...).refusedWith(), "one forbidden is enough")
	assert.ElementsMatch(t, []string{tokens[0], tokens[3]}, given(l.links("", tokens[0], tokens[2], tokens[3], "x")), "missing ones are missing")
	assert.Empty(t, given(l.links("", "x")))

	l.SetBatch(feishusim.BatchConduct{OmitForbidden: true})
	assert.ElementsMatch(t, []string{tokens[0], tokens[3]}, given(l.links("", tokens...)))
	l.SetBatch(feishusim.BatchConduct{RefuseMissing: true})
	assert.Equal(t, [2]int{400, 1061002}, l.links("", tokens[0], "x").refusedWith())

	file := l.AddDriveFile("", feishusim.DriveFile{Name: "f"})
	assert.Equal(t, 1061002, l.links("", file).code(), "files of the drive are none")
}

func TestMedia_GoWithTheirDocument(t *testing.T) {
	l := open(t)
	ids := l.AddDocx("", feishusim.Docx{Blocks: []feishusim.Block{feishusim.FileBlock(media("a"))}})
	l.SetSealed(ids.Document, true)
	assert.Equal(t, 1061004, l.links("", ids.Media[0]).code())
	assert.Equal(t, 0, l.get(docxPath(ids.Document)+"/blocks").code(), "may be read all the same")
	l.SetSealed(ids.Document, false)
	require.Equal(t, 0, l.links("", ids.Media[0]).code())
	l.SetForbidden(ids.Document, true)
	assert.Equal(t, 1061004, l.links("", ids.Media[0]).code())
	assert.Equal(t, [2]int{403, 1061004}, l.get(mediumPath(ids.Media[0])).refusedWith())
	l.Remove(ids.Document)
	assert.Equal(t, [2]int{404, 1061003}, l.get(mediumPath(ids.Media[0])).refusedWith())
}

func TestMedia_Download(t *testing.T) {
	l := open(t)
	token := l.withMedia(1)[0]
	res, body := l.download(mediumPath(token), "bytes=2-")
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	assert.Equal(t, "dium 0", body)
	assert.Equal(t, "bytes 2-7/8", res.Header.Get("Content-Range"))
	assert.Empty(t, res.Header.Get("ETag"))
}

// advanced adds a base with advanced permission and two media in one table, one
// in another.
func advanced(l *library) (ids feishusim.BaseIDs) {
	files := func(table, record string, texts ...string) feishusim.Table {
		var list []feishusim.Media
		for _, text := range texts {
			list = append(list, media(text))
		}
		return feishusim.Table{
			ID: table, Name: table, Fields: []feishusim.Field{{ID: "fld1", Name: "Files", Type: feishusim.FieldAttachment}},
			Records: []feishusim.Record{{ID: record, Files: map[string][]feishusim.Media{"Files": list}}},
		}
	}
	return l.AddBase("", feishusim.Base{Advanced: true, Tables: []feishusim.Table{files("tbl1", "rec1", "a", "b"), files("tbl2", "rec2", "c")}})
}

func TestExtra_IsNeededWithAdvancedPermission(t *testing.T) {
	l := open(t)
	ids := advanced(l)
	a, b, c := ids.Media[0], ids.Media[1], ids.Media[2]
	right := fmt.Sprintf(`{"bitablePerm":{"tableId":"tbl1","attachments":{"fld1":{"rec1":[%q,%q]}}}}`, a, b)
	assert.Len(t, l.links(right, a, b).items("tmp_download_urls"), 2)
	res, body := l.download(mediumPath(a), "", "extra", right)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "a", body)
	assert.Len(t, l.links(`{"bitablePerm":{"tableId":"tbl1","rev":32}}`, a).items("tmp_download_urls"), 1, "the form that cells carry")

	for name, extra := range map[string]string{
		"another table":     `{"bitablePerm":{"tableId":"tbl2","attachments":{"fld1":{"rec2":["` + c + `"]}}}}`,
		"another field":     `{"bitablePerm":{"tableId":"tbl1","attachments":{"Files":{"rec1":["` + a + `"]}}}}`,
		"another record":    `{"bitablePerm":{"tableId":"tbl1","attachments":{"fld1":{"rec2":["` + a + `"]}}}}`,
		"no attachments":    `{"bitablePerm":{"tableId":"tbl1"}}`,
		"escaped too often": url.QueryEscape(right),
	} {
		assert.Equal(t, [2]int{403, 1061004}, l.links(extra, a).refusedWith(), name)
		assert.Equal(t, [2]int{403, 1061004}, l.get(mediumPath(a), "extra", extra).refusedWith(), name)
	}
	assert.Equal(t, 403, l.links(right, a, c).status, "one table a call")
}

func TestExtra_MissingOrNotNeeded(t *testing.T) {
	l := open(t)
	a := advanced(l).Media[0]
	assert.Equal(t, [2]int{403, 1061004}, l.links("", a).refusedWith())
	res, body := l.download(mediumPath(a), "")
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	assert.Empty(t, body)
	l.SetExtra(feishusim.ExtraConduct{Empty400: true})
	res, body = l.download(mediaPath+"/batch_get_tmp_download_url", "", "file_tokens", a)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	assert.Empty(t, body)

	plain := l.withMedia(1)[0]
	extra := `{"bitablePerm":{"tableId":"tbl1","rev":1}}`
	assert.Equal(t, 0, l.links(extra, plain).code(), "is ignored")
	l.SetExtra(feishusim.ExtraConduct{RefuseNeedless: true})
	assert.Equal(t, [2]int{400, 1061002}, l.links(extra, plain).refusedWith())
}

func TestExtra_AddressesOfCellsWork(t *testing.T) {
	l := open(t)
	ids := advanced(l)
	r := l.post("/open-apis/bitable/v1/apps/"+ids.Base+"/tables/tbl1/records/search", "{}")
	cell := r.items("items")[0]["fields"].(map[string]any)["Files"].([]any)[0].(map[string]any)
	header := http.Header{"Authorization": {"Bearer " + l.token}}
	_, body, err := send(t, "GET", cell["url"].(string), "", header)
	require.NoError(t, err)
	assert.Equal(t, "a", string(body))
	_, body, err = send(t, "GET", cell["tmp_url"].(string), "", header)
	require.NoError(t, err)
	assert.Contains(t, string(body), "tmp_download_url", "an address of the API, not a link")
	res, _, err := send(t, "GET", cell["tmp_url"].(string), "", nil)
	require.NoError(t, err)
	assert.Equal(t, 400, res.StatusCode, "for which it takes a token")
}
