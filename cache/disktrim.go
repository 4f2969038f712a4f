package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// target is what the files may take after trimming. A tenth below the limit
// makes trimming rare.
func (d *Disk) target() int64 { return d.Limit / 10 * 9 }

// trim removes files, least recently used first, until the rest takes target
// bytes at most.
func (d *Disk) trim(target int64) {
	for _, name := range d.ledger.oldest(target) {
		d.writing.Lock()
		d.remove(name)
		d.writing.Unlock()
	}
}

// scan learns what is in the directory, for trimming.
func (d *Disk) scan(ctx context.Context) {
	objects := filepath.Join(d.Dir, "objects")
	shards, _ := os.ReadDir(objects) // what cannot be listed is not trimmed
	for _, shard := range shards {
		if ctx.Err() != nil {
			return
		}
		dir := filepath.Join(objects, shard.Name())
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			d.learn(dir, entry)
		}
	}
	if d.Bytes() > d.Limit {
		d.trim(d.target())
	}
}

// learn notes the file of an object. An index without one is removed; other things
// in the directory are left alone.
func (d *Disk) learn(dir string, entry os.DirEntry) {
	if file, ok := strings.CutSuffix(entry.Name(), indexSuffix); ok {
		if _, err := os.Lstat(filepath.Join(dir, file)); errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // the next start tries again
		}
		return
	}
	id, err := hex.DecodeString(entry.Name())
	stat, statErr := entry.Info()
	if err != nil || len(id) != 16 || statErr != nil || !stat.Mode().IsRegular() {
		return
	}
	bytes, _ := usage(stat)
	d.ledger.learn(fileName{id: [16]byte(id)}, bytes, stat.ModTime())
}
