package cli

import (
	"bytes"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

// simulate starts the services of a demonstration and returns what reads them.
func simulate(t *testing.T) *Config {
	t.Helper()
	d := &demonstration{scratch: t.TempDir(), level: "warn"}
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	c, err := d.config()
	require.NoError(t, err)
	return c
}

func TestDemo_MailHasItAll(t *testing.T) {
	c := simulate(t)
	s, err := newStack(c, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	mail := s.providers[0]
	require.Equal(t, demo.Mail, mail.Name)

	shown := make(map[string]resolver.Node)
	walk(t, mail.catalog, resolver.Root, "", shown)
	for _, f := range demo.Set(demo.Mail) {
		require.Contains(t, shown, f.Path)
		assert.True(t, f.ModTime.Equal(shown[f.Path].ModTime), f.Path)
	}
	assert.Len(t, shown, len(demo.Set(demo.Mail)))

	notes := func(n int) resolver.File {
		return shown[fmt.Sprintf("Inbox/2026-10-20 1612 Delivery notes/DN-2026-10%02d.tsv", n)].File
	}
	lease, err := mail.broker.Acquire(t.Context(), notes(4))
	require.NoError(t, err)
	assert.Equal(t, 2, lease.Link().Uses)
	_, err = mail.broker.Acquire(t.Context(), notes(5))
	require.ErrorIs(t, err, resolver.ErrPermission)
}

func TestDemo_DriveHasItAll(t *testing.T) {
	c := simulate(t)
	s, err := newStack(c, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	drive := s.providers[slices.Index(demo.Names(), demo.Drive)]

	shown := make(map[string]resolver.Node)
	walk(t, drive.catalog, resolver.Root, "", shown)
	assert.Len(t, shown, len(demo.Set(demo.Drive)))
	top, err := drive.catalog.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	dated := make(map[string]time.Time)
	for _, node := range top.Nodes {
		dated[node.Name] = node.ModTime
	}
	for _, d := range demo.SharedDrive() {
		assert.True(t, d.Date.Equal(dated[d.Path]), d.Path)
		for _, f := range d.Files {
			require.Contains(t, shown, f.Path)
			assert.True(t, f.ModTime.Equal(shown[f.Path].ModTime), f.Path)
			lease, err := drive.broker.Acquire(t.Context(), shown[f.Path].File)
			require.NoError(t, err, f.Path)
			assert.Equal(t, 0, lease.Link().Uses, f.Path)
			counted := lease.Link().Least > 0
			assert.Equal(t, d.Kind == demo.Folder, counted, "%s: only a file of the drive is read by calls", f.Path)
		}
	}
}

func TestDemo_TablesHaveItAll(t *testing.T) {
	c := simulate(t)
	s, err := newStack(c, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	tables := s.providers[slices.Index(demo.Names(), demo.Tables)]

	shown := make(map[string]resolver.Node)
	walk(t, tables.catalog, resolver.Root, "", shown)
	for _, f := range demo.Set(demo.Tables) {
		require.Contains(t, shown, f.Path)
		assert.True(t, f.ModTime.Equal(shown[f.Path].ModTime), f.Path)
		assert.Equal(t, f.Content.Size(), shown[f.Path].Size, f.Path)
	}
	assert.Len(t, shown, len(demo.Set(demo.Tables)))

	_, err = tables.broker.Acquire(t.Context(), shown["固定资产/台账/ZC-2026-004/标签.gif"].File)
	require.NoError(t, err)
	_, err = tables.broker.Acquire(t.Context(), shown["门店巡检/十月/城西店/整改通知.txt"].File)
	require.ErrorIs(t, err, resolver.ErrUnsupported)
}

// walk adds the files below dir to shown, by their paths.
func walk(t *testing.T, c *catalog.Catalog, dir resolver.ID, at string, shown map[string]resolver.Node) {
	t.Helper()
	listing, err := c.Readdir(t.Context(), dir)
	require.NoError(t, err)
	for _, node := range listing.Nodes {
		if node.Dir {
			walk(t, c, node.ID, path.Join(at, node.Name), shown)
			continue
		}
		shown[path.Join(at, node.Name)] = node
	}
}

func TestDemo_Greets(t *testing.T) {
	var out bytes.Buffer
	d := &demonstration{to: console{out: &out}}
	d.greet("/mnt/demo", 5)
	said := out.String()
	assert.True(t, strings.HasPrefix(said, mountedLine("/mnt/demo", 5)+"\n"))
	for _, set := range demo.Names() {
		assert.Contains(t, said, "\n  "+set+" ")
	}
	for _, line := range strings.Split(said, "\n") {
		assert.LessOrEqual(t, len(line), 90, line)
	}
}
