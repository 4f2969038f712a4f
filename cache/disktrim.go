package cache

import (
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
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
		entries, _ := os.ReadDir(filepath.Join(objects, shard.Name()))
		for _, entry := range entries {
			d.learn(entry)
		}
	}
	if d.Bytes() > d.Limit {
		d.trim(d.target())
	}
}

// learn notes the file of an object; other things in the directory are left
// alone.
func (d *Disk) learn(entry os.DirEntry) {
	id, err := hex.DecodeString(entry.Name())
	stat, statErr := entry.Info()
	if err != nil || len(id) != 16 || statErr != nil || !stat.Mode().IsRegular() {
		return
	}
	bytes, _ := usage(stat)
	d.ledger.learn(fileName{id: [16]byte(id)}, bytes, stat.ModTime())
}
