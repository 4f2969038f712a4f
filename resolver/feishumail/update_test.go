package feishumail_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishumail"
)

// update follows the pages of an update to the last.
func update(t *testing.T, p *feishumail.Provider, mark string) (entries []resolver.Entry, gone []resolver.ID, next string, err error) {
	t.Helper()
	for cursor := ""; ; {
		page, err := p.Update(t.Context(), inbox, mark, cursor)
		if err != nil {
			return nil, nil, "", err
		}
		entries, gone = append(entries, page.Entries...), append(gone, page.Gone...)
		if page.Next == "" {
			return entries, gone, page.Mark, nil
		}
		cursor = page.Next
	}
}

// fill puts n messages into the mailbox, a minute apart and the last at noon.
func fill(s *feishusim.Server, n int) (ids []feishusim.MessageIDs) {
	for i := range n {
		ids = append(ids, put(s, fmt.Sprint("old ", i), noon.Add(time.Duration(i+1-n)*time.Minute), "a"))
	}
	return ids
}

func TestProvider_Update(t *testing.T) {
	for _, c := range []struct{ old, new, lists, batches int }{
		{200, 0, 1, 0},
		{200, 3, 1, 1},
		{200, 19, 1, 1},
		{200, 20, 2, 1},
		{200, 45, 3, 3},
		{5, 3, 1, 1},
		{0, 0, 1, 0},
		{0, 3, 1, 1},
		{0, 25, 2, 2},
		{20, 1, 1, 1},
	} {
		t.Run(fmt.Sprint(c.old, "+", c.new), func(t *testing.T) {
			s, cfg := start(t)
			fill(s, c.old)
			p := connect(t, cfg)
			_, mark := list(t, p, inbox)
			var want []string
			for i := range c.new {
				put(s, fmt.Sprint(i), noon.Add(time.Duration(i+1)*time.Minute), "a")
				want = append(want, fmt.Sprint(noon.In(time.FixedZone("", 8*3600)).Add(time.Duration(i+1)*time.Minute).Format("2006-01-02 1504 "), i))
			}
			s.ResetCounts()
			entries, gone, mark, err := update(t, p, mark)
			require.NoError(t, err)
			assert.ElementsMatch(t, want, names(entries))
			assert.Empty(t, gone)
			assert.Equal(t, c.lists, s.Counts(feishusim.Messages).Calls)
			assert.Equal(t, c.batches, s.Counts(feishusim.BatchGet).Calls)

			s.ResetCounts()
			entries, _, _, err = update(t, p, mark)
			require.NoError(t, err)
			assert.Empty(t, entries)
			assert.Equal(t, 1, s.Counts(feishusim.Messages).Calls)
			assert.Zero(t, s.Counts(feishusim.BatchGet).Calls)
		})
	}
}

func TestProvider_UpdateTellsWhatIsGone(t *testing.T) {
	s, cfg := start(t)
	ids := fill(s, 50)
	p := connect(t, cfg)
	entries, mark := list(t, p, inbox)
	s.RemoveMessage(mailbox, ids[49].Message)
	s.MoveMessage(mailbox, ids[45].Message, "ARCHIVED")
	s.RemoveMessage(mailbox, ids[0].Message) // too far down to be seen
	put(s, "new", noon.Add(time.Hour), "a")
	added, gone, mark, err := update(t, p, mark)
	require.NoError(t, err)
	assert.Equal(t, []string{"2026-10-08 1300 new"}, names(added))
	assert.Equal(t, []resolver.ID{entries[0].ID}, gone, "what was moved is not gone")

	s.MoveMessage(mailbox, ids[45].Message, "INBOX")
	added, gone, _, err = update(t, p, mark)
	require.NoError(t, err)
	assert.Equal(t, entries[4:5], added, "moved in among the newest")
	assert.Empty(t, gone)
}

func TestProvider_UpdateUnsupported(t *testing.T) {
	s, cfg := start(t)
	ids := fill(s, 30)
	p := connect(t, cfg)
	_, mark := list(t, p, inbox)
	for name, dir := range map[string]resolver.ID{"root": resolver.Root, "message": "message/x", "nothing": "x"} {
		_, err := p.Update(t.Context(), dir, mark, "")
		assert.ErrorIs(t, err, resolver.ErrUnsupported, name)
	}
	for _, bad := range []string{"", "x", `{"messages":7}`} {
		_, _, _, err := update(t, p, bad)
		assert.ErrorIs(t, err, resolver.ErrUnsupported, bad)
	}
	_, err := p.Update(t.Context(), inbox, mark, "no cursor")
	require.ErrorIs(t, err, resolver.ErrRejected)

	s.SetOrder(feishusim.Shuffled)
	_, none := list(t, p, inbox)
	assert.Empty(t, none)
	_, _, _, err = update(t, p, mark)
	require.ErrorIs(t, err, resolver.ErrUnsupported)

	s.SetOrder(feishusim.NewestFirst)
	for _, id := range ids {
		s.RemoveMessage(mailbox, id.Message)
	}
	_, _, _, err = update(t, p, mark)
	require.ErrorIs(t, err, resolver.ErrUnsupported, "nothing is known any more")
}

func TestProvider_UpdateSince(t *testing.T) {
	s, cfg := start(t)
	put(s, "too old", time.Now().Add(-3*time.Hour), "a")
	put(s, "old", time.Now().Add(-time.Hour), "a")
	cfg.Since = 2 * time.Hour
	p := connect(t, cfg)
	_, mark := list(t, p, inbox)
	put(s, "new", time.Now(), "a")
	entries, _, _, err := update(t, p, mark)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Contains(t, entries[0].Name, " new")
}

func TestProvider_UpdateOldestFirst(t *testing.T) {
	q, p := startQueue(t)
	q.put("one", noon)
	_, mark := list(t, p, inbox)
	require.NotEmpty(t, mark, "one message is in any order")
	q.put("two", noon.Add(time.Minute))
	_, _, _, err := update(t, p, mark)
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	_, mark = list(t, p, inbox)
	require.Empty(t, mark)
}
