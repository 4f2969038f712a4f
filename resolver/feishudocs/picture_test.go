package feishudocs_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

// prober asks for all that is behind a link. It counts.
type prober struct {
	t     *testing.T
	looks atomic.Int32
	err   error
}

func (p *prober) Probe(_ context.Context, link resolver.Link) (string, int64, error) {
	p.looks.Add(1)
	if p.err != nil {
		return "", resolver.SizeUnknown, p.err
	}
	text, _ := body(p.t, link, "")
	return http.DetectContentType([]byte(text)), int64(len(text)), nil
}

func picture(start string) feishusim.Media {
	return feishusim.Media{Content: linksim.Bytes([]byte(start + "the rest"))}
}

const (
	png  = "\x89PNG\x0D\x0A\x1A\x0A"
	jpeg = "\xFF\xD8\xFF"
)

// Pictures are named by what they are, if that is wanted: each is looked at once,
// through a link that stays with it.
func TestPictures(t *testing.T) {
	s, cfg := start(t)
	doc := feishusim.Docx{Title: "d", Blocks: []feishusim.Block{
		feishusim.ImageBlock(picture(png), "Figure 1. A plan"), feishusim.ImageBlock(picture(jpeg), ""),
		feishusim.ImageBlock(picture(png), "plan.png"), feishusim.ImageBlock(picture("text"), "v1.2"),
		feishusim.ImageBlock(picture(png), "refused"), feishusim.ImageBlock(picture(png), "f"), feishusim.ImageBlock(picture(jpeg), "g"),
		feishusim.FileBlock(media("README")),
	}}
	ids := s.AddDocx("", doc)
	s.SetForbidden(ids.Media[4], true)
	cfg.ImageTypes = true
	p, dir := docxDir(t, cfg, ids.Document)
	probe := &prober{t: t}
	p.ProbeWith(probe)
	entries := list(t, p, dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	assert.Equal(t, []string{"Figure 1. A plan.png", ids.Media[1] + ".jpg", "plan.png", "v1.2", "refused", "f.png", "g.jpg", "README"}, names)
	assert.EqualValues(t, len(png+"the rest"), entries[0].Size)
	require.NotNil(t, entries[0].Link)
	text, _ := body(t, *entries[0].Link, "")
	assert.Equal(t, png+"the rest", text)
	assert.EqualValues(t, 5, probe.looks.Load())
	assert.Equal(t, 1+5+1, s.Counts(feishusim.MediaLinks).Calls, "five of which one is refused, those alone, and the sixth")

	s.ResetCounts()
	again := list(t, p, dir)
	assert.Equal(t, entries[1].Name, again[1].Name)
	assert.EqualValues(t, 5, probe.looks.Load(), "what is behind a token does not change")
	assert.LessOrEqual(t, s.Counts(feishusim.MediaLinks).Calls, 1, "of the one that was refused")
}

func TestPictures_InSheets(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{{
		Cells:  []feishusim.Cell{{At: "A1", Media: []feishusim.Media{picture(png)}}},
		Floats: []feishusim.Float{{Media: picture(jpeg), At: "B1"}},
	}}})
	cfg.ImageTypes = true
	p, dir := sheetDir(t, cfg, ids.Spreadsheet)
	p.ProbeWith(&prober{t: t})
	var names []string
	for _, e := range list(t, p, dir) {
		names = append(names, e.Name)
	}
	assert.ElementsMatch(t, []string{ids.Media[0] + ".png", ids.Media[1] + ".jpg"}, names)
}

// A host of links that does not answer does not keep a document from being
// listed; an API that does not, does.
func TestPictures_ThatCannotBeLookedAt(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: []feishusim.Block{feishusim.ImageBlock(picture(png), "x")}})
	cfg.ImageTypes = true
	p, dir := docxDir(t, cfg, ids.Document)
	p.ProbeWith(&prober{t: t, err: errors.New("no")})
	entries := list(t, p, dir)
	assert.Equal(t, "x", entries[0].Name)
	assert.Equal(t, resolver.SizeUnknown, entries[0].Size)
	s.Break(feishusim.MediaLinks, 1)
	_, err := p.List(t.Context(), dir, "")
	require.ErrorIs(t, err, resolver.ErrUnavailable)
}
