package feishumail_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

func TestProvider_Inline(t *testing.T) {
	s, cfg := start(t)
	s.AddMessage(mailbox, feishusim.Message{Date: noon, Attachments: []feishusim.Attachment{{Name: "logo.png", Inline: true}}})
	dirs, _ := list(t, connect(t, cfg), inbox)
	assert.Empty(t, dirs)
	cfg.Inline = true
	dirs, _ = list(t, connect(t, cfg), inbox)
	require.Len(t, dirs, 1)
	assert.Equal(t, []string{"logo.png"}, names(dirs[0].Children))
	assert.Equal(t, noon, dirs[0].ModTime)
	assert.Equal(t, noon, dirs[0].Children[0].ModTime)
}

func TestProvider_Folders(t *testing.T) {
	usual := []string{"Inbox", "Sent", "Archive", "Scheduled"}
	for _, c := range []struct {
		name    string
		folders []string
		want    []string
	}{
		{"all", nil, append(usual, "Bills", "Bills/2026")},
		{"system", []string{"inbox", "TRASH"}, []string{"Inbox", "Trash"}},
		{"own", []string{" Bills "}, []string{"Bills"}},
		{"last name", []string{"2026"}, []string{"Bills/2026"}},
		{"whole name", []string{"Bills/2026"}, []string{"Bills/2026"}},
		{"some missing", []string{"Drafts", "No such"}, []string{"Drafts"}},
	} {
		for _, listed := range []bool{true, false} {
			t.Run(fmt.Sprint(c.name, listed), func(t *testing.T) {
				s, cfg := start(t)
				s.AddFolder(mailbox, s.AddFolder(mailbox, "", "Bills"), "2026")
				s.SetSystemFoldersListed(listed)
				cfg.Folders = c.folders
				entries, mark := list(t, connect(t, cfg), resolver.Root)
				assert.Equal(t, c.want, names(entries))
				assert.Empty(t, mark)
			})
		}
	}
}

func TestProvider_NoSuchFolders(t *testing.T) {
	_, cfg := start(t)
	cfg.Folders = []string{"Invoces"}
	_, err := connect(t, cfg).List(t.Context(), resolver.Root, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	assert.ErrorContains(t, err, "there is no Invoces; there are Inbox, Sent")
}

func TestProvider_LargeFolder(t *testing.T) {
	s, cfg := start(t)
	const n = 2000
	for i := range n {
		var attached []string
		if i%10 == 0 {
			attached = []string{"a"}
		}
		put(s, fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute), attached...)
	}
	p := connect(t, cfg)
	entries, mark := list(t, p, inbox)
	assert.Len(t, entries, n/10)
	assert.NotEmpty(t, mark)
	assert.Equal(t, n/20, s.Counts(feishusim.Messages).Calls)
	assert.Equal(t, n/20, s.Counts(feishusim.BatchGet).Calls)
	assert.Zero(t, s.Counts(feishusim.GetMessage).Calls)
	assert.LessOrEqual(t, s.Counts(feishusim.DownloadURL).Calls, 1)
	assert.Equal(t, 1, s.Counts(feishusim.TenantToken).Calls)
}

func TestProvider_Since(t *testing.T) {
	for _, c := range []struct {
		order feishusim.Order
		pages int
	}{
		{feishusim.NewestFirst, 2}, // the last is wholly older
		{feishusim.Shuffled, 10},
	} {
		t.Run(string(c.order), func(t *testing.T) {
			s, cfg := start(t)
			s.SetOrder(c.order)
			for i := range 200 {
				put(s, fmt.Sprint(i), time.Now().Add(-time.Duration(i)*time.Hour), "a")
			}
			cfg.Since = 10*time.Hour - time.Minute
			entries, mark := list(t, connect(t, cfg), inbox)
			assert.Len(t, entries, 10)
			assert.Equal(t, c.pages, s.Counts(feishusim.Messages).Calls)
			assert.Equal(t, c.order == feishusim.NewestFirst, mark != "")
		})
	}
}

func TestProvider_BatchGetLeavesOut(t *testing.T) {
	for _, most := range []int{1, 7, 19} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			s, cfg := start(t)
			for i := range 20 {
				put(s, fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute), "a")
			}
			s.SetBatchGet(feishusim.BatchGetConduct{Most: most})
			p := connect(t, cfg)
			entries, _ := list(t, p, inbox)
			assert.Len(t, entries, 20)
			assert.Equal(t, 2, s.Counts(feishusim.BatchGet).Calls)
			assert.Equal(t, max(0, 20-2*most), s.Counts(feishusim.GetMessage).Calls)
			if most < 10 {
				s.Break(feishusim.GetMessage, 1)
				_, err := p.List(t.Context(), inbox, "")
				require.ErrorIs(t, err, resolver.ErrUnavailable, "never silently left out")
			}
		})
	}
}
