package fs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/fs/stream"
	"github.com/attachfs/attachfs/resolver"
)

// readAheadKB is what the kernel reads ahead at most, where we may say so: it
// reaches the full speed and bounds what one touched page of a mapping brings
// (FUSE.md 4.2).
const readAheadKB = 1024

// Tree knows names; a catalog is one. Its methods may be called in parallel.
type Tree interface {
	// Readdir lists a directory. Sizes that are not known stay unknown: it
	// never costs a link.
	Readdir(ctx context.Context, dir resolver.ID) (resolver.Listing, error)
	// Lookup returns one name with its true size.
	Lookup(ctx context.Context, dir resolver.ID, name string) (resolver.Node, error)
	// Peek is Lookup from memory; false when that does not suffice.
	Peek(dir resolver.ID, name string) (resolver.Node, bool)
	// Why returns why nothing can be shown of the provider, nil if something
	// can.
	Why() error
}

// Provider is one directory under the mount point. The fields are set before it
// is mounted.
type Provider struct {
	Name   string
	Tree   Tree
	Source *stream.Source
	// Budgets says in words what is left of the calls that the provider
	// grants; nil or empty when it has no such limit.
	Budgets func() string

	mount atomic.Pointer[Mount]
	dirs  directories
}

// Mount is a mounted file system.
type Mount struct {
	cfg       Config
	log       *slog.Logger
	providers []*Provider
	began     time.Time
	releases  releases
	// passthrough tells that the kernel can read local files by itself, and that we
	// may tell it to.
	passthrough atomic.Bool
	server      *fuse.Server
	notices     chan func()
	done        chan struct{} // closed by Wait when the kernel is gone
	notifier    sync.WaitGroup
}

// New mounts the providers on mountpoint, an existing directory, and returns
// when the kernel is answered. The caller calls Wait.
func New(mountpoint string, cfg Config, providers []*Provider, log *slog.Logger) (*Mount, error) {
	m := &Mount{
		cfg: cfg, log: log, providers: providers, began: time.Now(),
		notices: make(chan func(), 1024), done: make(chan struct{}),
	}
	options := m.options()
	server, err := fuse.NewServer(newRaw(&rootNode{mount: m}, options, &m.releases), mountpoint, &options.MountOptions)
	if err == nil {
		go server.Serve() // ends when the mount does
		err = server.WaitMount()
	}
	if err != nil {
		return nil, fmt.Errorf("mounting %s: %w", mountpoint, err)
	}
	m.server = server
	m.passthrough.Store(os.Geteuid() == 0 && server.KernelSettings().Flags64()&fuse.CAP_PASSTHROUGH != 0)
	for _, p := range providers {
		p.mount.Store(m)
	}
	m.notifier.Go(m.notify)
	m.raiseReadAhead(mountpoint)
	return m, nil
}

// Unmount asks the kernel to let the mount go. It fails while files are open.
func (m *Mount) Unmount() error { return m.server.Unmount() }

// Wait returns when the mount is gone, however that came.
func (m *Mount) Wait() {
	m.server.Wait()
	close(m.done)
	m.notifier.Wait()
}

func (m *Mount) options() *fusefs.Options {
	return &fusefs.Options{
		EntryTimeout: &m.cfg.EntryTimeout, AttrTimeout: &m.cfg.AttrTimeout, NegativeTimeout: &m.cfg.NegativeTimeout,
		UID: m.cfg.UID, GID: m.cfg.GID,
		NullPermissions: true, // mode 0000 is for files that are refused
		RootStableAttr:  &fusefs.StableAttr{Mode: fuse.S_IFDIR, Ino: 1},
		MountOptions: fuse.MountOptions{
			Name: "attachfs", FsName: m.cfg.Source,
			Options:                  []string{"ro", "default_permissions"},
			AllowOther:               m.cfg.AllowOther,
			DirectMount:              true,
			DirectMountFlags:         unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV,
			MaxWrite:                 1 << 20,
			MaxBackground:            128,
			DisableSplice:            true,
			DisableXAttrs:            !m.cfg.XAttrs,
			ExplicitDataCacheControl: true,
			ExtraCapabilities:        fuse.CAP_READDIRPLUS_AUTO,
			Debug:                    m.cfg.Debug,
			Logger:                   slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
		},
	}
}

// raiseReadAhead lets the kernel read further ahead, where we are root.
func (m *Mount) raiseReadAhead(mountpoint string) {
	var st unix.Stat_t
	if err := unix.Lstat(mountpoint, &st); err != nil {
		return
	}
	path := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err := os.WriteFile(path, []byte(strconv.Itoa(readAheadKB)), 0o644); err != nil {
		m.log.Debug("the kernel's read-ahead stays as it is", "error", err)
	}
}

// fail maps an error to errno and logs it: here its detail is lost.
func (m *Mount) fail(op, provider, file string, err error, errno syscall.Errno) syscall.Errno {
	level := slog.LevelWarn
	if errno == syscall.ENOENT || errno == syscall.EINTR {
		level = slog.LevelDebug
	}
	m.log.Log(context.Background(), level, op+" failed", "provider", provider, "file", file, "errno", errno.Error(), "error", err)
	return errno
}

// inode makes an inode number of what tells contents apart. Numbers from 2^63 on
// belong to go-fuse, 0 and 1 to the kernel and the root.
func inode(provider, kind string, n *resolver.Node) uint64 {
	h := sha256.New()
	for _, part := range []string{provider, kind, string(n.ID), n.Version, strconv.Itoa(n.Revision), strconv.FormatBool(n.Refused != nil)} {
		_ = binary.Write(h, binary.LittleEndian, uint64(len(part)))
		_, _ = h.Write([]byte(part))
	}
	return max(2, binary.LittleEndian.Uint64(h.Sum(nil))&(1<<63-1))
}
