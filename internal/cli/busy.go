package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// maxBusy is how many processes a message names.
	maxBusy = 8
	// busyPatience bounds the search through /proc: a process that hangs in
	// the mount can hold the lock that /proc/PID/maps wants.
	busyPatience = 3 * time.Second
)

// busyUsers names the processes that keep the mount at path from going away,
// such as "vim (pid 123)": the first few that this user may look into, other
// than this process. It never touches the mount itself.
func busyUsers(path string) []string {
	users, err := bounded(busyPatience, func() ([]string, error) { return scanProcesses("/proc", path), nil })
	if err != nil {
		return nil
	}
	return users
}

func scanProcesses(proc, path string) []string {
	dir, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var users []string
	more := 0
	for _, process := range dir {
		pid, err := strconv.Atoi(process.Name())
		if err != nil || pid == os.Getpid() || !uses(filepath.Join(proc, process.Name()), path) {
			continue
		}
		if len(users) == maxBusy {
			more++
			continue
		}
		// Not cmdline: reading it can wait for the process.
		name, err := os.ReadFile(filepath.Join(proc, process.Name(), "comm"))
		if err != nil {
			continue // it is gone
		}
		users = append(users, fmt.Sprintf("%s (pid %d)", bytes.TrimSpace(name), pid))
	}
	if more > 0 {
		users = append(users, fmt.Sprintf("%d more", more))
	}
	return users
}

// uses reports whether the process has anything in the tree at path open. It
// reads links, which the kernel answers from memory, and follows none.
func uses(process, path string) bool {
	for _, link := range []string{"cwd", "root", "exe"} {
		if linksInto(filepath.Join(process, link), path) {
			return true
		}
	}
	descriptors, err := os.ReadDir(filepath.Join(process, "fd"))
	if err != nil {
		return false
	}
	for _, fd := range descriptors {
		if linksInto(filepath.Join(process, "fd", fd.Name()), path) {
			return true
		}
	}
	return mapsInto(filepath.Join(process, "maps"), path)
}

func linksInto(link, path string) bool {
	target, err := os.Readlink(link)
	return err == nil && inside(target, path)
}

// mapsInto reports whether the list of mappings in file has one of a file in the
// tree at path.
func mapsInto(file, path string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// address perms offset device inode path
		if i := strings.IndexByte(lines.Text(), '/'); i >= 0 && inside(lines.Text()[i:], path) {
			return true
		}
	}
	return false
}

// inside reports whether path is dir or in it; both are clean and absolute.
func inside(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
