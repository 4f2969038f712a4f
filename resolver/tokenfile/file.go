package tokenfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
)

// maxFile is far beyond any tokens.
const maxFile = 64 << 10

// ErrNone is the ErrCredentials of a file without usable tokens: a person has to
// log in.
var ErrNone = fmt.Errorf(`log in with "attachfs login": %w`, resolver.ErrCredentials)

// Tokens are those of one login.
type Tokens struct {
	Access, Refresh resolver.Secret
	// Expires and RefreshExpires are their ends by our clock; zero if nobody told.
	Expires, RefreshExpires time.Time
	// Scope is what was granted, as the service writes it.
	Scope string
}

// stored is how tokens are written.
type stored struct {
	Access         string     `json:"access_token"`
	Refresh        string     `json:"refresh_token,omitempty"`
	Expires        *time.Time `json:"expires_at,omitempty"`
	RefreshExpires *time.Time `json:"refresh_expires_at,omitempty"`
	Scope          string     `json:"scope,omitempty"`
}

// File is a file of tokens. Its methods may be called in parallel, also from
// several processes.
type File struct {
	path string

	mu      sync.Mutex // guards the following
	unsaved *Tokens    // of a renewal that the disk did not take
}

// At is the file of that path, which need not be there yet. Its directory is made
// when there is something to write.
func At(path string) *File { return &File{path: path} }

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Load reads the tokens. A file that is not there, or holds none, is [ErrNone].
func (f *File) Load() (Tokens, error) {
	// Without blocking: opening a pipe would wait for its writer.
	file, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Tokens{}, fmt.Errorf("%s is not there: %w", f.path, ErrNone)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("read the tokens: %w: %w", err, resolver.ErrCredentials)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Tokens{}, fmt.Errorf("read the tokens: %w: %w", err, resolver.ErrCredentials)
	}
	if !info.Mode().IsRegular() {
		return Tokens{}, fmt.Errorf("read the tokens: %s is not a regular file: %w", f.path, resolver.ErrCredentials)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return Tokens{}, fmt.Errorf("read the tokens: %w: %w", err, resolver.ErrUnavailable)
	}
	return parse(f.path, text)
}

// parse reads the text of a file. Errors do not quote it.
func parse(path string, text []byte) (Tokens, error) {
	var s stored
	if len(text) > maxFile || json.Unmarshal(text, &s) != nil {
		return Tokens{}, fmt.Errorf("%s does not hold tokens as they are written there: %w", path, ErrNone)
	}
	if s.Access == "" && s.Refresh == "" {
		return Tokens{}, fmt.Errorf("%s holds no token: %w", path, ErrNone)
	}
	t := Tokens{Access: resolver.NewSecret(s.Access), Refresh: resolver.NewSecret(s.Refresh), Scope: s.Scope}
	if s.Expires != nil {
		t.Expires = *s.Expires
	}
	if s.RefreshExpires != nil {
		t.RefreshExpires = *s.RefreshExpires
	}
	return t, nil
}

// Save replaces the file, which nobody else may read, at once and for good, when
// no renewal is under way. It is for who logs in anew: a renewal that the disk
// did not take is forgotten.
func (f *File) Save(ctx context.Context, t Tokens) error {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return f.save(t)
}

// save is Save under the lock.
func (f *File) save(t Tokens) error {
	w, err := f.prepare()
	if err != nil {
		return err
	}
	defer w.abandon()
	if err := w.commit(t); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsaved = nil
	return nil
}

// write is a file that will take the place of another.
type write struct {
	path   string
	file   *os.File
	placed bool
}

// prepare makes room for tokens, so that a disk that is full or read-only is
// known of before there is something to lose. The lock is held: who crashed with
// it may have left such a file.
func (f *File) prepare() (*write, error) {
	name := f.path + ".new"
	_ = os.Remove(name)
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep the tokens: %w", err)
	}
	w := &write{path: f.path, file: file}
	room := make([]byte, 16<<10) // for tokens of 4 KB each, which may grow
	if _, err = file.Write(room); err == nil {
		err = file.Sync()
	}
	if err != nil {
		w.abandon()
		return nil, fmt.Errorf("keep the tokens: %w", err)
	}
	return w, nil
}

// commit writes the tokens into the room, and puts them in place.
func (w *write) commit(t Tokens) error {
	text, err := json.MarshalIndent(t.stored(), "", "  ")
	if err != nil {
		return fmt.Errorf("keep the tokens: %w", err)
	}
	text = append(text, '\n')
	_, err = w.file.WriteAt(text, 0)
	if err == nil {
		err = w.file.Truncate(int64(len(text)))
	}
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil {
		err = os.Rename(w.file.Name(), w.path)
	}
	if err != nil {
		return fmt.Errorf("keep the tokens: %w", err)
	}
	w.placed = true
	syncDir(filepath.Dir(w.path))
	return nil
}

// abandon closes the file, and removes it if it was not put in place.
func (w *write) abandon() {
	_ = w.file.Close()
	if !w.placed {
		_ = os.Remove(w.file.Name())
	}
}

// syncDir makes a rename last. Where directories cannot be synced it lasts as
// well as it can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

func (t Tokens) stored() stored {
	s := stored{Access: t.Access.Reveal(), Refresh: t.Refresh.Reveal(), Scope: t.Scope}
	if !t.Expires.IsZero() {
		end := t.Expires.UTC().Truncate(time.Second)
		s.Expires = &end
	}
	if !t.RefreshExpires.IsZero() {
		end := t.RefreshExpires.UTC().Truncate(time.Second)
		s.RefreshExpires = &end
	}
	return s
}
