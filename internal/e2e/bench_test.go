package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// How to run these, and what they found: docs/performance.md. Each measures
// its limit in the same run and reports the ratio, because absolute figures
// drift with the machine. Everything goes through a real mount by the
// default configuration; every iteration mounts anew with an empty cache.

// farOrigin is an origin a round trip of 20 ms away.
var farOrigin = linksim.Behaviour{Delay: 20 * time.Millisecond}

// veryFarOrigin is on another continent.
var veryFarOrigin = linksim.Behaviour{Delay: 80 * time.Millisecond}

// thinOrigin is farOrigin, and 50 MB/s per connection is all it gives.
var thinOrigin = linksim.Behaviour{Delay: 20 * time.Millisecond, BytesPerSecond: 50e6}

var benchSettings = settings{log: `level = "warn"`}

// stopNow unmounts at the end of an iteration and makes room for the next.
func stopNow(b *testing.B, p *process) {
	b.Helper()
	require.NoError(b, p.stop(b, unix.SIGTERM))
	require.NoError(b, os.RemoveAll(p.cache))
}

// mountRehearsed is mountOrigin, and reads a file that is not measured: the first
// use of memory that the machine has not used for long costs several times as
// much. It reads through a provider of its own, so that nothing is known of the
// speed of the origin.
func mountRehearsed(b *testing.B, origin *linksim.Origin, s settings) (*process, string) {
	b.Helper()
	s.providers = append(s.providers, simProvider("rehearsal", origin))
	p, dir := mountOrigin(b, origin, s)
	require.NoError(b, pullFile(filepath.Join(p.dir, "rehearsal", "rehearsal"), rehearsal))
	touchMemory(b)
	origin.ResetCounts()
	return p, dir
}

// touchMemory has the machine use more memory than a measured file takes in the
// page cache, and frees it: what a virtual machine has not used for seconds went
// back to its host, and costs four times as much to write to.
func touchMemory(b *testing.B) {
	b.Helper()
	all, err := unix.Mmap(-1, 0, 2<<30, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	require.NoError(b, err)
	require.NoError(b, unix.Munmap(all))
}

var rehearsal = linksim.Pattern(1000, 300*mib)

// withRehearsal is an origin that has the file for mountRehearsed.
func withRehearsal(b *testing.B, opts ...linksim.Option) *linksim.Origin {
	b.Helper()
	origin := startOrigin(b, opts...)
	origin.Put(linksim.Object{Path: "rehearsal", Content: rehearsal})
	return origin
}

// What is left of a direct download when a file is read through the mount for
// the first time, and what does it cost the machine?
func BenchmarkSequentialCold(b *testing.B) {
	b.Run("disk", func(b *testing.B) { sequentialCold(b, withRehearsal(b), directClient(b), benchSettings) })
	b.Run("nodisk", func(b *testing.B) { sequentialCold(b, withRehearsal(b), directClient(b), withoutDisk) })
	b.Run("tls", func(b *testing.B) {
		origin := withRehearsal(b, linksim.WithTLS())
		trusted := filepath.Join(b.TempDir(), "origin.pem")
		require.NoError(b, os.WriteFile(trusted, origin.CertPEM(), 0o600))
		b.Setenv("SSL_CERT_FILE", trusted)
		c, pool := directClient(b), x509.NewCertPool()
		require.True(b, pool.AppendCertsFromPEM(origin.CertPEM()))
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
		sequentialCold(b, origin, c, benchSettings)
	})
}

func sequentialCold(b *testing.B, origin *linksim.Origin, c *http.Client, s settings) {
	content := linksim.Pattern(1, 512*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	var f figures
	for b.Loop() {
		p, dir := mountRehearsed(b, origin, s)
		before := directSpeed(b, c, origin, "f", content)
		origin.ResetCounts()
		read := func(path string) float64 { return pullSpeed(b, path, content) }
		speed, used := costs(b, p.cmd.Process.Pid, content.Size(), func() float64 { return read(filepath.Join(dir, "f")) })
		f.add("MB/s", speed)
		f.add("GETs", float64(origin.Counts().Gets))
		f.add("fetched/size", float64(origin.Counts().Bytes)/float64(content.Size()))
		f.add("of-direct", speed/((before+directSpeed(b, c, origin, "f", content))/2))
		f.add("cpu-s/GiB", used)
		f.add("peak-MiB", peakMemory(b, p.cmd.Process.Pid))
		stopNow(b, p)

		piped, pid := mountPipe(b, origin.FileURL("rehearsal"), origin.FileURL("f"))
		require.NoError(b, pullFile(filepath.Join(piped, "0"), rehearsal))
		touchMemory(b)
		limit, needed := costs(b, pid, content.Size(), func() float64 { return read(filepath.Join(piped, "1")) })
		f.add("of-bare-pipe", speed/limit)
		f.add("bare-pipe-cpu-s/GiB", needed)
	}
	f.report(b)
}

// costs measures a read of size bytes that is answered by the process, which uses so
// many processor seconds a GiB.
func costs(b *testing.B, pid int, size int64, read func() (speed float64)) (speed, perGiB float64) {
	b.Helper()
	before := cpuSeconds(b, pid)
	speed = read()
	return speed, (cpuSeconds(b, pid) - before) * (1 << 30) / float64(size)
}

// Does the distance of the origin slow a sequential reader down?
func BenchmarkSequentialCold20ms(b *testing.B) {
	sequentialFar(b, farOrigin, 512*mib, 512*mib)
}

func BenchmarkSequentialCold80ms(b *testing.B) {
	sequentialFar(b, veryFarOrigin, 512*mib, 512*mib)
}

// Do parallel ranges bring more than one connection gives?
func BenchmarkSequentialCold20ms50MBps(b *testing.B) {
	sequentialFar(b, thinOrigin, 512*mib, 25*mib)
}

// sequentialFar reads size bytes through the mount and direct bytes without.
func sequentialFar(b *testing.B, behaviour linksim.Behaviour, size, direct int64) {
	origin := withRehearsal(b)
	content, part := linksim.Pattern(1, size), linksim.Pattern(2, direct)
	origin.Put(linksim.Object{Path: "f", Content: content, Behaviour: behaviour})
	origin.Put(linksim.Object{Path: "part", Content: part, Behaviour: behaviour})
	var f figures
	for b.Loop() {
		p, dir := mountRehearsed(b, origin, benchSettings)
		origin.SetAPIDelay(behaviour.Delay)
		speed, used := costs(b, p.cmd.Process.Pid, size, func() float64 { return pullSpeed(b, filepath.Join(dir, "f"), content) })
		f.add("MB/s", speed)
		f.add("GETs", float64(origin.Counts().Gets))
		f.add("fetched/size", float64(origin.Counts().Bytes)/float64(size))
		f.add("cpu-s/GiB", used)
		f.add("of-direct", speed/directSpeed(b, directClient(b), origin, "part", part))
		f.add("peak-MiB", peakMemory(b, p.cmd.Process.Pid))
		origin.SetAPIDelay(0)
		stopNow(b, p)
	}
	f.report(b)
}

// together runs n readers at once, all of which must succeed.
func together(b *testing.B, n int, read func(i int) error) {
	b.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = read(i) })
	}
	wg.Wait()
	require.NoError(b, errors.Join(errs...))
}

// Do four readers of four files get in each other's way?
func BenchmarkFourReadersCold(b *testing.B) {
	origin := withRehearsal(b)
	const readers, size = 4, 256 * mib
	var urls []string
	contents := make([]linksim.Content, readers)
	for i := range contents {
		contents[i] = linksim.Pattern(uint64(i), size)
		origin.Put(linksim.Object{Path: fmt.Sprint(i), Content: contents[i]})
		urls = append(urls, origin.FileURL(fmt.Sprint(i)))
	}
	urls = append(urls, origin.FileURL("rehearsal"))
	all := func(read func(i int) error) float64 {
		began := time.Now()
		together(b, readers, read)
		return megabytes(readers*size, began)
	}
	fromMount := func(dir string) float64 {
		return all(func(i int) error { return pullFile(filepath.Join(dir, fmt.Sprint(i)), contents[i]) })
	}
	var f figures
	for b.Loop() {
		p, dir := mountRehearsed(b, origin, benchSettings)
		c := directClient(b)
		direct := all(func(i int) error { return directDownload(c, origin, fmt.Sprint(i), contents[i]) })
		origin.ResetCounts()
		speed, used := costs(b, p.cmd.Process.Pid, readers*size, func() float64 { return fromMount(dir) })
		f.add("MB/s", speed)
		f.add("GETs", float64(origin.Counts().Gets))
		f.add("fetched/size", float64(origin.Counts().Bytes)/(readers*size))
		f.add("of-direct", speed/direct)
		f.add("cpu-s/GiB", used)
		f.add("peak-MiB", peakMemory(b, p.cmd.Process.Pid))
		stopNow(b, p)

		piped, pid := mountPipe(b, urls...)
		require.NoError(b, pullFile(filepath.Join(piped, fmt.Sprint(readers)), rehearsal))
		touchMemory(b)
		limit, needed := costs(b, pid, readers*size, func() float64 { return fromMount(piped) })
		f.add("of-bare-pipe", speed/limit)
		f.add("bare-pipe-cpu-s/GiB", needed)
	}
	f.report(b)
}

// How fast is a second read that attachfs answers from its cache, the kernel
// having forgotten the file?
func BenchmarkSequentialWarm(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		origin := startOrigin(b)
		content := linksim.Pattern(1, 192*mib)
		origin.Put(linksim.Object{Path: "f", Content: content})
		var f figures
		for b.Loop() {
			p, dir := mountOrigin(b, origin, withoutDisk)
			require.NoError(b, pullFile(filepath.Join(dir, "f"), content))
			origin.ResetCounts()
			f.warm(b, filepath.Join(dir, "f"), content)
			f.add("refetched/size", float64(origin.Counts().Bytes)/float64(content.Size()))
			stopNow(b, p)
		}
		f.report(b)
	})
	b.Run("disk", func(b *testing.B) { warmFromDisk(b, false) })
	b.Run("passthrough", func(b *testing.B) { warmFromDisk(b, true) })
}

// withoutDisk is for benchmarks of the memory tier: the kernel would read the disk.
var withoutDisk = settings{log: `level = "warn"`, cache: `disk = 0`}

// warmFromDisk measures after a restart. Alone the kernel may read as long as no
// handle is open of those that attachfs serves.
func warmFromDisk(b *testing.B, alone bool) {
	origin := startOrigin(b)
	content := linksim.Pattern(1, 512*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	var f figures
	for b.Loop() {
		s := benchSettings
		s.cacheDir = b.TempDir()
		p, dir := mountOrigin(b, origin, s)
		path := filepath.Join(dir, "f")
		require.NoError(b, pullFile(path, content))
		require.NoError(b, p.stop(b, unix.SIGTERM))
		p, dir = mountOrigin(b, origin, s)
		path = filepath.Join(dir, "f")
		held, err := os.Open(path)
		require.NoError(b, err)
		origin.ResetCounts()
		heat(b, s.cacheDir)
		// Pages are verified when they are first read after a start.
		f.add("first-MB/s", pullSpeed(b, path, content))
		if alone {
			require.NoError(b, held.Close())
			awaitWhole(b, path, s.cacheDir)
		}
		heat(b, s.cacheDir)
		f.warm(b, path, content)
		f.add("refetched/size", float64(origin.Counts().Bytes)/float64(content.Size()))
		_ = held.Close() // it may be closed
		stopNow(b, p)
	}
	f.report(b)
}

// awaitWhole returns when the kernel may read the file by itself, on the next open.
func awaitWhole(b *testing.B, path, cacheDir string) {
	b.Helper()
	require.Eventually(b, func() bool {
		f, err := os.Open(path)
		require.NoError(b, err)
		require.NoError(b, f.Close())
		indices, err := filepath.Glob(filepath.Join(cacheDir, "objects", "*", "*.index"))
		require.NoError(b, err)
		return len(indices) > 0
	}, patience, 20*time.Millisecond)
}

// warm measures path against a bare file that is answered by pread, and
// against the local file, all with their own pages dropped, and the pages
// beneath them at hand.
func (f *figures) warm(b *testing.B, path string, content linksim.Content) {
	native := nativeFile(b, content)
	bare := filepath.Join(mountBare(b, native, 0), "file")
	require.NoError(b, pullFile(bare, content))
	var speeds, limits, natives []float64
	for range 3 {
		dropPages(b, path)
		speeds = append(speeds, pullSpeed(b, path, content))
		dropPages(b, bare)
		heat(b, filepath.Dir(native))
		limits = append(limits, pullSpeed(b, bare, content))
		natives = append(natives, pullSpeed(b, native, content))
	}
	speed := quantile(speeds, 0.5)
	f.add("MB/s", speed)
	f.add("of-bare-fuse", speed/quantile(limits, 0.5))
	f.add("of-native-hot", speed/quantile(natives, 0.5))
}

// heat brings what is below dir into the page cache.
func heat(b *testing.B, dir string) {
	b.Helper()
	buf := make([]byte, mib)
	require.NoError(b, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{file}, buf)
		return err
	}))
}

// Is a second read that the kernel can answer as fast as one of a local file,
// though the file was closed and opened again?
func BenchmarkSequentialHot(b *testing.B) {
	b.Run("pages", func(b *testing.B) { sequentialHot(b, withoutDisk, func(_, _ string) {}) })
	b.Run("passthrough", func(b *testing.B) {
		sequentialHot(b, benchSettings, func(path, cacheDir string) { awaitWhole(b, path, cacheDir) })
	})
}

func sequentialHot(b *testing.B, s settings, settle func(path, cacheDir string)) {
	origin := startOrigin(b)
	content := linksim.Pattern(1, 192*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	var f figures
	for b.Loop() {
		p, dir := mountOrigin(b, origin, s)
		native := nativeFile(b, content)
		paths := []string{filepath.Join(dir, "f"), filepath.Join(mountBare(b, native, 0), "file"), native}
		require.NoError(b, pullFile(paths[0], content))
		settle(paths[0], p.cache)
		speeds := make([][]float64, len(paths))
		for range 4 { // in turn
			for i, path := range paths {
				speeds[i] = append(speeds[i], pullSpeed(b, path, content))
			}
		}
		speed := quantile(speeds[0][1:], 0.5)
		f.add("MB/s", speed)
		f.add("of-bare-fuse", speed/quantile(speeds[1][1:], 0.5))
		f.add("of-native", speed/quantile(speeds[2][1:], 0.5))
		stopNow(b, p)
	}
	f.report(b)
}

// eachDistance runs a benchmark of waiting at 20 and 80 ms, and at 20 ms where a
// connection is slow, too: parallel ranges must not be paid with waiting.
func eachDistance(b *testing.B, bench func(*testing.B, linksim.Behaviour)) {
	b.Run("80ms", func(b *testing.B) { bench(b, veryFarOrigin) })
	b.Run("20ms", func(b *testing.B) { bench(b, farOrigin) })
	b.Run("20ms50MBps", func(b *testing.B) { bench(b, thinOrigin) })
}

// How many round trips does a program wait for the first byte of a large file?
func BenchmarkFirstByte(b *testing.B) {
	eachDistance(b, func(b *testing.B, behaviour linksim.Behaviour) {
		const files = 20
		origin := startOrigin(b)
		for i := range files + 1 {
			origin.Put(linksim.Object{Path: smallName(i), Content: linksim.Pattern(uint64(i), 64*mib), Behaviour: behaviour})
		}
		origin.SetAPIDelay(behaviour.Delay)
		var f figures
		for b.Loop() {
			p, dir := mountOrigin(b, origin, benchSettings)
			_, err := os.ReadDir(dir)
			require.NoError(b, err)
			trip := roundTrip(b, origin, smallName(0))
			// The first file pays for the first connections.
			firstByte(b, filepath.Join(dir, smallName(files)), 0)
			var with, without []float64
			for i := range files {
				path := filepath.Join(dir, smallName(i))
				// The first read leaves a lease behind, and nothing else of the
				// half that is read next.
				without = append(without, firstByte(b, path, 0)/trip)
				calls := origin.Counts().LinkCalls
				with = append(with, firstByte(b, path, 32*mib)/trip)
				require.Equal(b, calls, origin.Counts().LinkCalls, "a lease was to be at hand")
			}
			f.add("trips", quantile(without, 0.5))
			f.add("trips-p95", quantile(without, 0.95))
			f.add("leased-trips", quantile(with, 0.5))
			f.add("leased-trips-p95", quantile(with, 0.95))
			stopNow(b, p)
		}
		f.report(b)
	})
}

// firstByte opens a file and reads one byte at off; it returns the seconds.
func firstByte(b *testing.B, path string, off int64) float64 {
	b.Helper()
	began := time.Now()
	file, err := os.Open(path)
	require.NoError(b, err)
	_, err = file.ReadAt(make([]byte, 1), off)
	took := since(began)
	require.NoError(b, err)
	require.NoError(b, file.Close())
	return took
}

// How many round trips does a read at a random place take, and how much is
// fetched for it?
func BenchmarkRandom4KCold(b *testing.B) {
	eachDistance(b, func(b *testing.B, behaviour linksim.Behaviour) {
		content := linksim.Pattern(1, 1<<30)
		origin := startOrigin(b)
		origin.Put(linksim.Object{Path: "f", Content: content, Behaviour: behaviour})
		origin.SetAPIDelay(behaviour.Delay)
		var f figures
		for b.Loop() {
			p, dir := mountOrigin(b, origin, benchSettings)
			trip := roundTrip(b, origin, "f")
			firstByte(b, filepath.Join(dir, "f"), 500*mib) // the lease is not what is asked here
			origin.ResetCounts()
			const reads = 60
			times := randomTimes(b, filepath.Join(dir, "f"), content, reads)
			f.add("trips", quantile(times, 0.5)/trip)
			f.add("trips-p95", quantile(times, 0.95)/trip)
			f.add("KiB-fetched/read", float64(origin.Counts().Bytes)/reads/1024)
			stopNow(b, p)
		}
		f.report(b)
	})
}

// randomTimes reads n different blocks of 4 KiB and returns the seconds of each.
func randomTimes(b *testing.B, path string, content linksim.Content, n int) []float64 {
	b.Helper()
	file, err := os.Open(path)
	require.NoError(b, err)
	defer func() { _ = file.Close() }()
	random := rand.New(rand.NewPCG(4, 2))
	seen := make(map[int64]bool)
	buf, expected := make([]byte, 4096), make([]byte, 4096)
	var times []float64
	for len(times) < n {
		block := random.Int64N(content.Size() / 4096)
		if seen[block] {
			continue
		}
		seen[block] = true
		began := time.Now()
		_, err := file.ReadAt(buf, block*4096)
		times = append(times, since(began))
		require.NoError(b, err)
		_, err = content.ReadAt(expected, block*4096)
		require.NoError(b, errIgnoringEOF(err))
		requireSame(b, expected, buf)
	}
	return times
}

func errIgnoringEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// How long does one thread wait for 4 KiB that attachfs has in memory?
func BenchmarkRandom4KWarm(b *testing.B) {
	content := linksim.Pattern(1, 192*mib)
	origin := startOrigin(b)
	origin.Put(linksim.Object{Path: "f", Content: content})
	var f figures
	for b.Loop() {
		p, dir := mountOrigin(b, origin, withoutDisk)
		native := nativeFile(b, content)
		bare := filepath.Join(mountBare(b, native, 0), "file")
		path := filepath.Join(dir, "f")
		require.NoError(b, pullFile(path, content))
		require.NoError(b, pullFile(bare, content))
		var times, limits, shares []float64
		for range 8 {
			dropPages(b, path)
			ours := randomTimes(b, path, content, 500)
			dropPages(b, bare)
			limit := randomTimes(b, bare, content, 500)
			times, limits = append(times, ours...), append(limits, limit...)
			shares = append(shares, quantile(limit, 0.5)/quantile(ours, 0.5))
		}
		f.add("us", quantile(times, 0.5)*1e6)
		f.add("us-p95", quantile(times, 0.95)*1e6)
		f.add("bare-fuse-us", quantile(limits, 0.5)*1e6)
		f.add("of-bare-fuse", quantile(shares, 0.5))
		stopNow(b, p)
	}
	f.report(b)
}

// Does a directory of small files cost a round trip for each?
func BenchmarkSmallFiles(b *testing.B) {
	for _, distance := range []struct {
		name      string
		behaviour linksim.Behaviour
	}{{"0ms", linksim.Behaviour{}}, {"20ms", farOrigin}, {"80ms", veryFarOrigin}} {
		for _, readers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/readers=%d", distance.name, readers), func(b *testing.B) {
				smallFiles(b, distance.behaviour, readers)
			})
		}
	}
}

// benchPatience is when a benchmark of many files ends though not all were read, so
// that one that is slow does not hold up the others.
const benchPatience = 6 * time.Second

func smallFiles(b *testing.B, behaviour linksim.Behaviour, readers int) {
	const files, size = 1000, 64 << 10
	origin := startOrigin(b)
	for i := range files {
		origin.Put(linksim.Object{Path: smallName(i), Content: linksim.Pattern(uint64(i), size), Behaviour: behaviour})
	}
	origin.SetAPIDelay(behaviour.Delay)
	// all reads the files in order and returns how many, and how many a second.
	all := func(read func(i int) error) (done int, speed float64) {
		var next, count atomic.Int64
		began := time.Now()
		together(b, readers, func(int) error {
			for time.Since(began) < benchPatience {
				i := int(next.Add(1)) - 1
				if i >= files {
					break
				}
				if err := read(i); err != nil {
					return err
				}
				count.Add(1)
			}
			return nil
		})
		return int(count.Load()), float64(count.Load()) / since(began)
	}
	content := func(i int) linksim.Content { return linksim.Pattern(uint64(i), size) }
	var f figures
	for b.Loop() {
		p, dir := mountOrigin(b, origin, benchSettings)
		entries, err := os.ReadDir(dir)
		require.NoError(b, err)
		require.Len(b, entries, files)
		origin.ResetCounts()
		used := cpuSeconds(b, p.cmd.Process.Pid)
		done, speed := all(func(i int) error { return pullFile(filepath.Join(dir, entries[i].Name()), content(i)) })
		used = cpuSeconds(b, p.cmd.Process.Pid) - used
		counts := origin.Counts()
		f.add("files/s", speed)
		f.add("cpu-ms/file", 1000*used/float64(done))
		f.add("peak-MiB", peakMemory(b, p.cmd.Process.Pid))
		f.add("GETs/file", float64(counts.Gets)/float64(done))
		f.add("link-calls", float64(counts.LinkCalls))
		c := directClient(b)
		_, direct := all(func(i int) error { return directDownload(c, origin, smallName(i), content(i)) })
		f.add("of-direct", speed/direct)
		stopNow(b, p)
	}
	f.report(b)
}

// What does a program pay for opening a file whose content the kernel has?
func BenchmarkOpenReadClose(b *testing.B) {
	const files, rounds, size = 1000, 10, 4096
	origin := startOrigin(b)
	content := linksim.Pattern(1, size)
	for i := range files {
		origin.Put(linksim.Object{Path: smallName(i), Content: content})
	}
	buf := make([]byte, size)
	pass := func(dir string) {
		for i := range files {
			file, err := os.Open(filepath.Join(dir, smallName(i)))
			require.NoError(b, err)
			n, err := file.Read(buf)
			require.NoError(b, err)
			require.Equal(b, size, n)
			require.NoError(b, file.Close())
		}
	}
	measure := func(dir string) float64 {
		began := time.Now()
		pass(dir)
		return files / since(began)
	}
	var f figures
	for b.Loop() {
		p, dir := mountOrigin(b, origin, benchSettings)
		bare := filepath.Join(mountBare(b, nativeFile(b, content), files), "list")
		origin.ResetCounts()
		pass(dir)
		pass(bare)
		var speeds, shares []float64
		for range rounds {
			limit := measure(bare)
			speeds = append(speeds, measure(dir))
			shares = append(shares, speeds[len(speeds)-1]/limit)
		}
		require.LessOrEqual(b, origin.Counts().Gets, files, "it was to be cached")
		f.add("files/s", quantile(speeds, 0.5))
		f.add("of-bare-fuse", quantile(shares, 0.5))
		stopNow(b, p)
	}
	f.report(b)
}

// What do ls and ls -l of a very large directory cost that attachfs knows and
// the kernel does not, and what do they cost again?
func BenchmarkListing(b *testing.B) {
	const files = 100_000
	origin := startOrigin(b, linksim.WithPageSize(10_000))
	content := linksim.Pattern(1, 4096)
	for i := range files {
		origin.Put(linksim.Object{Path: smallName(i), Content: content})
	}
	var f figures
	for b.Loop() {
		s := benchSettings
		s.cacheDir = b.TempDir()
		p, dir := mountOrigin(b, origin, s)
		f.add("unknown-readdir-s", listingSeconds(b, dir, files, false))
		require.NoError(b, p.stop(b, unix.SIGTERM))

		p, dir = mountOrigin(b, origin, s) // the listing is known, the kernel is new
		origin.ResetCounts()
		first := listingSeconds(b, dir, files, true)
		again := listingSeconds(b, dir, files, true)
		readdir := listingSeconds(b, dir, files, false)
		f.add("list-calls", float64(origin.Counts().Lists))
		require.Zero(b, origin.Counts().Gets)

		bare := filepath.Join(mountBare(b, nativeFile(b, content), files), "list")
		f.add("first-s", first)
		f.add("again-s", again)
		f.add("readdir-s", readdir)
		f.add("first/bare", first/listingSeconds(b, bare, files, true))
		f.add("again/bare", again/listingSeconds(b, bare, files, true))
		f.add("readdir/bare", readdir/listingSeconds(b, bare, files, false))
		f.add("peak-MiB", peakMemory(b, p.cmd.Process.Pid))
		stopNow(b, p)
	}
	f.report(b)
}

// listingSeconds lists dir, with the attributes of each entry as it comes if stat is
// set, as ls -l does; it returns the seconds. It reads by 32 KiB, as libc does: the
// kernel asks for attributes along with names when those of the last ones were
// looked at.
func listingSeconds(b *testing.B, dir string, n int, stat bool) float64 {
	b.Helper()
	buf := make([]byte, 32<<10)
	began := time.Now()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	require.NoError(b, err)
	defer func() { _ = unix.Close(fd) }()
	count := 0
	for {
		filled, err := unix.ReadDirent(fd, buf)
		require.NoError(b, err)
		if filled == 0 {
			break
		}
		_, _, names := unix.ParseDirent(buf[:filled], -1, nil)
		count += len(names)
		if !stat {
			continue
		}
		for _, name := range names {
			var st unix.Stat_t
			if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || st.Size != 4096 {
				require.FailNowf(b, "stat", "%s: size %d, %v", name, st.Size, err)
			}
		}
	}
	took := since(began)
	require.Equal(b, n, count)
	return took
}

// Do 64 sequential readers stay within the memory budget?
func BenchmarkMemory64Readers(b *testing.B) {
	const readers, size, budget = 64, 32 * mib, 256
	origin := startOrigin(b)
	for i := range readers {
		origin.Put(linksim.Object{Path: fmt.Sprint(i), Content: linksim.Pattern(uint64(i), size)})
	}
	var f figures
	for b.Loop() {
		s := benchSettings
		s.cache = fmt.Sprintf("memory = \"%dMiB\"", budget)
		p, dir := mountOrigin(b, origin, s)
		idle := peakMemory(b, p.cmd.Process.Pid)
		origin.ResetCounts()
		began := time.Now()
		together(b, readers, func(i int) error {
			return pullFile(filepath.Join(dir, fmt.Sprint(i)), linksim.Pattern(uint64(i), size))
		})
		f.add("MB/s", megabytes(readers*size, began))
		f.add("peak-MiB", peakMemory(b, p.cmd.Process.Pid))
		f.add("over-budget-MiB", peakMemory(b, p.cmd.Process.Pid)-budget)
		f.add("idle-MiB", idle)
		f.add("fetched/size", float64(origin.Counts().Bytes)/(readers*size))
		stopNow(b, p)
	}
	f.report(b)
}
