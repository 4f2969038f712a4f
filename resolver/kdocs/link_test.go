package kdocs_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/limit"
)

const picture = resolver.ID("file/dbt/111/1/r0/upload_ks3/png/u0")

func TestLink(t *testing.T) {
	s, cfg := tables(t, table(2, time.Time{}))
	s.SetClock(time.Hour)
	p := connect(t, cfg)
	second := resolver.ID("file/dbt/111/1/r1/upload_ks3/png/u1")
	answers, err := p.Resolve(t.Context(), []resolver.ID{second, picture, second})
	require.NoError(t, err)
	for _, a := range answers {
		require.NoError(t, a.Err)
		assert.Equal(t, 8*time.Minute, a.Link.Lifetime, "until two minutes before its end")
		assert.Equal(t, resolver.RangedUnknown, a.Link.Ranged)
		assert.Empty(t, a.Link.Header)
		assert.WithinDuration(t, time.Now(), a.Link.Obtained, time.Minute)
		assert.WithinDuration(t, time.Now().Add(time.Hour), a.Link.ServerTime, time.Minute)
	}
	counts := s.Counts(kdocssim.AttachmentURLs)
	assert.Equal(t, 1, counts.Calls)
	assert.Equal(t, 2, counts.Items, "each is asked for once")
	assert.Zero(t, counts.Mistaken)
	assert.Zero(t, counts.Leaks)
}

// What has no link says how long that holds.
func TestLink_Without(t *testing.T) {
	d := table(0, time.Time{})
	d.Sheets[0].Records = []kdocssim.Record{{ID: "r", Cells: map[string]any{"C": []kdocssim.Attachment{
		{UploadID: "u", Name: "a.pdf", Type: "application/pdf"},
		{UploadID: "c", Name: "b.otl", Source: "Cloud", Unreadable: true},
	}}}}
	s, cfg := tables(t, d)
	p := connect(t, cfg)
	upload, cloud := resolver.ID("file/dbt/111/1/r/upload_ks3/application%2Fpdf/u"), resolver.ID("file/dbt/111/1/r/Cloud/otl/c")
	gone := resolver.ID("file/dbt/111/1/r/upload_ks3/png/gone")
	answers, err := p.Resolve(t.Context(), []resolver.ID{upload, cloud, gone})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrUnsupported)
	assert.Equal(t, 6*time.Hour, resolver.RetryAfter(answers[0].Err))
	for _, a := range answers[1:] {
		require.ErrorIs(t, a.Err, resolver.ErrPermission)
		assert.Equal(t, 5*time.Minute, resolver.RetryAfter(a.Err))
	}
	assert.NotEqual(t, p.Batch(upload), p.Batch(cloud), "they do not take the places of others")
	assert.Equal(t, p.Batch(picture), p.Batch(cloud))

	s.SetUnreadable(photos, "c", false)
	answers, err = p.Resolve(t.Context(), []resolver.ID{cloud})
	require.NoError(t, err)
	assert.NoError(t, answers[0].Err)
}

// A document that may not be read, or is gone, is so for all that is asked of it.
func TestLink_WholeDocument(t *testing.T) {
	denied := table(1, time.Time{})
	denied.Denied = true
	s, cfg := tables(t, denied)
	p := connect(t, cfg)
	answers, err := p.Resolve(t.Context(), []resolver.ID{picture, "nothing"})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrPermission)
	assert.Positive(t, resolver.RetryAfter(answers[0].Err))
	assert.ErrorIs(t, answers[1].Err, resolver.ErrNotExist)
	s.RemoveDocument(photos)
	answers, err = p.Resolve(t.Context(), []resolver.ID{picture})
	require.NoError(t, err)
	assert.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)
	s.RevokeAccess()
	_, err = p.Resolve(t.Context(), []resolver.ID{picture})
	assert.ErrorIs(t, err, resolver.ErrCredentials)
}

// The calls of all endpoints count together, and over restarts.
func TestBudget(t *testing.T) {
	s, cfg := tables(t, table(1, time.Time{}))
	cfg.DailyCalls = 5
	file := filepath.Join(t.TempDir(), "budgets.json")
	run := func(use func(p *kdocs.Provider)) {
		limits := limit.New(limit.NewFile(file, nil), nil)
		p := kdocs.New(cfg, limits)
		use(p)
		require.NoError(t, p.Close())
		require.NoError(t, limits.Close())
	}
	ask := func(p *kdocs.Provider) error {
		if err := p.Turn(t.Context(), "links"); err != nil {
			return err
		}
		_, err := p.Resolve(t.Context(), []resolver.ID{picture})
		return err
	}
	run(func(p *kdocs.Provider) {
		list(t, p, photosSheet) // three calls
		require.NoError(t, ask(p))
	})
	run(func(p *kdocs.Provider) {
		require.NoError(t, ask(p))
		require.ErrorIs(t, ask(p), resolver.ErrQuota)
		require.ErrorIs(t, root(t, p), resolver.ErrQuota)
		usage := p.Usage()
		require.Len(t, usage, 1)
		assert.Equal(t, []int{5, 5}, []int{usage[0].Used, usage[0].Calls})
		_, offset := usage[0].Resets.Zone()
		assert.Equal(t, 8*60*60, offset, "a day of China")
		assert.Zero(t, usage[0].Resets.Hour())
	})
	assert.Equal(t, 2, s.Counts(kdocssim.AttachmentURLs).Calls)
}

// What the service says to be spent is, though we counted less.
func TestBudget_SpentByOthers(t *testing.T) {
	for _, shape := range []kdocssim.Over{kdocssim.Over429, kdocssim.OverBare, kdocssim.OverCode, kdocssim.Over403} {
		t.Run(string(shape), func(t *testing.T) {
			s, cfg := tables(t, table(1, time.Time{}))
			s.SetOverQuota(shape)
			s.SetQuota(kdocssim.AttachmentURLs, 0)
			p := connect(t, cfg)
			_, err := p.Resolve(t.Context(), []resolver.ID{picture})
			require.ErrorIs(t, err, resolver.ErrQuota)
			require.ErrorIs(t, p.Turn(t.Context(), "links"), resolver.ErrQuota)
			require.NoError(t, root(t, p), "listings have calls of their own")
			assert.Equal(t, 1, s.Counts(kdocssim.AttachmentURLs).Calls)
		})
	}
}
