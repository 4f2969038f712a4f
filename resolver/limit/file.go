package limit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockWait is how long another process may take to add its counts.
	lockWait = time.Second
	// maxFile is far more than all budgets that anybody has.
	maxFile = 1 << 20
	// maxUsed is more calls than anybody can make, and far from overflow.
	maxUsed = 1 << 40
)

var (
	errBusy    = errors.New("locked by another process")
	errDamaged = errors.New("damaged")
)

// File is a [Store] in a small JSON file, which processes share: each holds a
// lock beside it while it adds its counts. It holds no key in plain text.
type File struct {
	path string
	log  *slog.Logger
}

// NewFile returns a store in the file at path. File and directory are made when
// there is a budget; a damaged file is moved to path with ".corrupt" appended, a
// warning is logged, and a new one begun. There is nothing to close. A nil log
// means slog.Default.
func NewFile(path string, log *slog.Logger) *File {
	return &File{path: path, log: cmp.Or(log, slog.Default())}
}

// Add implements [Store]. It waits a second at most for other processes.
func (f *File) Add(counts map[string]Count) (map[string]Count, error) {
	lock, err := f.lock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.path, err)
	}
	defer lock.Close()
	stored, err := f.read()
	if err != nil {
		return nil, err
	}
	sums := make(map[string]Count, len(counts))
	changed := false
	for key, c := range counts {
		sum := stored[hashed(key)].plus(c)
		stored[hashed(key)], sums[key] = sum, sum
		changed = changed || c.Used > 0 || c.Spent
	}
	if changed {
		err = f.write(stored)
	}
	return sums, err
}

// hashed is the name of a key in the file.
func hashed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// lock waits for the lock, which is let go by closing the file.
func (f *File) lock() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(lockWait); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return lock, nil
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errBusy
		}
		if !errors.Is(err, errBusy) && !errors.Is(err, unix.EINTR) || time.Now().After(until) {
			return nil, errors.Join(err, lock.Close())
		}
	}
}

// read returns what is in the file, nothing if there is none. A damaged one is
// moved aside.
func (f *File) read() (map[string]Count, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return make(map[string]Count), nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	counts, err := parse(text)
	if err == nil {
		return counts, nil
	}
	aside := f.path + ".corrupt"
	if err := os.Rename(f.path, aside); err != nil {
		return nil, fmt.Errorf("move damaged call budgets aside: %w", err)
	}
	f.log.Warn("call budgets are damaged, counting from nothing", "path", f.path, "kept", aside, "error", err)
	return make(map[string]Count), nil
}

// write replaces the file. It is called with the lock held.
func (f *File) write(counts map[string]Count) error {
	text, err := json.MarshalIndent(contents{counts}, "", "  ")
	if err != nil {
		return err
	}
	fresh := f.path + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, f.path)
}

// contents is the file as JSON.
type contents struct {
	Budgets map[string]Count `json:"budgets"`
}

// parse reads a file; errDamaged if it is not one that write wrote.
func parse(text []byte) (map[string]Count, error) {
	var c contents
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: more than %d bytes", errDamaged, maxFile)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if c.Budgets == nil {
		return nil, fmt.Errorf("%w: no budgets", errDamaged)
	}
	for name, count := range c.Budgets {
		if count.Used < 0 || count.Used > maxUsed {
			return nil, fmt.Errorf("%w: %s of %d calls", errDamaged, name, count.Used)
		}
	}
	return c.Budgets, nil
}
