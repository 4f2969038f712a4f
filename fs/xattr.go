package fs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"

	"github.com/attachfs/attachfs/resolver"
)

const xattrPrefix = "user.attachfs."

// xattrs are the extended attributes of a file, in the order in which they are
// listed. Their values hold nothing secret.
var xattrs = []struct {
	name  string
	value func(*fileNode) string
}{
	{"id", func(n *fileNode) string { return string(n.file().ID) }},
	{"provider", func(n *fileNode) string { return n.provider.Name }},
	{"version", func(n *fileNode) string { return n.file().Version }},
	{"cached", func(n *fileNode) string { return strconv.Itoa(n.provider.Source.Status(*n.file()).Cached) }},
	{"lease", func(n *fileNode) string { return leaseText(n.provider.Source.Status(*n.file()).Lease) }},
	{"error", func(n *fileNode) string { return n.errorText() }},
}

func (n *fileNode) errorText() string {
	if n.file().Refused != nil {
		return n.file().Refused.Error()
	}
	if err := n.provider.Source.Status(*n.file()).Err; err != nil {
		return err.Error()
	}
	return ""
}

func leaseText(l *resolver.Lease) string {
	if l == nil {
		return "none"
	}
	text := "held"
	if d := l.Deadline(); !d.IsZero() {
		text += fmt.Sprintf(", %d s left", int(time.Until(d).Seconds()))
	}
	if l.Counted() {
		text += fmt.Sprintf(", %d uses left", l.UsesLeft())
	}
	return text
}

// budget is the attribute of directories that tells what is left of the calls
// that the provider grants.
const budget = xattrPrefix + "budget"

func (n *dirNode) budget() string {
	if n.provider.Budgets == nil {
		return ""
	}
	return n.provider.Budgets()
}

var _ = (fusefs.NodeListxattrer)((*dirNode)(nil))

func (n *dirNode) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	if n.budget() == "" {
		return 0, 0
	}
	return answer(dest, budget+"\x00")
}

var _ = (fusefs.NodeGetxattrer)((*dirNode)(nil))

func (n *dirNode) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	if text := n.budget(); attr == budget && text != "" {
		return answer(dest, text)
	}
	return 0, syscall.ENODATA
}

var _ = (fusefs.NodeListxattrer)((*fileNode)(nil))

func (n *fileNode) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	var names strings.Builder
	for _, x := range xattrs {
		names.WriteString(xattrPrefix + x.name + "\x00")
	}
	return answer(dest, names.String())
}

var _ = (fusefs.NodeGetxattrer)((*fileNode)(nil))

func (n *fileNode) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	for _, x := range xattrs {
		if attr == xattrPrefix+x.name {
			return answer(dest, x.value(n))
		}
	}
	return 0, syscall.ENODATA
}

// answer copies text, or tells how long it is to a caller without room.
func answer(dest []byte, text string) (uint32, syscall.Errno) {
	if len(dest) < len(text) {
		return uint32(len(text)), syscall.ERANGE
	}
	return uint32(copy(dest, text)), 0
}
