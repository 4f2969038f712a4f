package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// hostsProvider is simProvider with a choice of hosts that links may lead to.
func hostsProvider(name string, origin *linksim.Origin, hosts string) string {
	return strings.Replace(simProvider(name, origin), `["127.0.0.1"]`, hosts, 1)
}

func mountHosts(t *testing.T, origin *linksim.Origin, hosts string) (*process, string) {
	t.Helper()
	p := mount(t, settings{providers: []string{hostsProvider("sim", origin, hosts)}})
	return p, filepath.Join(p.dir, "sim")
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}

// boundTerms is a link whose header serves no other link.
func boundTerms() linksim.Terms {
	return linksim.Terms{Header: http.Header{
		"Authorization": {"Bearer {signature}"},
		"Cookie":        {"session={signature}"},
		"X-Oss-Date":    {"{signature}"},
	}}
}

func TestRedirect_BoundHeadersStayBehind(t *testing.T) {
	for _, size := range []int64{300_001, 12 * mib} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			origin := trapOrigin(t)
			content := linksim.Pattern(40, size)
			origin.Put(linksim.Object{Path: "f", Content: content, Terms: boundTerms()})
			origin.Inject("f", linksim.Fault{Kind: linksim.Redirect})
			_, dir := mountOrigin(t, origin, settings{})
			requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
			require.NotEmpty(t, origin.ElsewhereHeaders())
			for _, h := range origin.ElsewhereHeaders() {
				for _, name := range []string{"Authorization", "Cookie", "X-Oss-Date", "Referer"} {
					assert.Empty(t, h.Values(name), name)
				}
				assert.NotContains(t, fmt.Sprint(h), linksim.Marker)
				assert.Equal(t, "identity", h.Get("Accept-Encoding"))
			}
			counts := origin.Counts()
			assert.Zero(t, counts.BadHeaders)
			assert.Equal(t, 1, counts.LinksIssued)
		})
	}
}

func TestRedirectLoop_Ends(t *testing.T) {
	origin := trapOrigin(t)
	content := linksim.Pattern(41, 300_001)
	origin.Put(linksim.Object{Path: "f", Content: content})
	origin.Inject("f", linksim.Fault{Kind: linksim.RedirectLoop})
	_, dir := mountOrigin(t, origin, settings{})
	requireFails(t, filepath.Join(dir, "f"), nil, unix.EIO)
	counts := origin.Counts()
	assert.LessOrEqual(t, counts.LinksIssued, 6)
	assert.LessOrEqual(t, counts.Gets, 60)
	origin.ClearFaults()
	requireSame(t, contentOf(t, content), readInTime(t, filepath.Join(dir, "f")))
}

func TestRedirect_ToAHostThatIsNotAllowed(t *testing.T) {
	origin := trapOrigin(t)
	locations := map[string]string{
		"another port":   "",
		"plain http":     "http://192.0.2.1/x",
		"cloud metadata": "https://169.254.169.254/latest/meta-data",
		"a file":         "file:///etc/passwd",
	}
	for name, location := range locations {
		origin.Put(shaped(small, name, 42))
		origin.Inject(name, linksim.Fault{Kind: linksim.Redirect, Location: location})
	}
	p, dir := mountHosts(t, origin, fmt.Sprintf("[%q]", hostOf(t, origin.URL())))
	for name := range locations {
		t.Run(name, func(t *testing.T) {
			requireFails(t, filepath.Join(dir, name), nil, unix.EACCES)
			assert.LessOrEqual(t, origin.CountsOf(name).Gets, 8)
		})
	}
	assert.Empty(t, origin.ElsewhereHeaders(), "nothing was sent there")
	assert.Contains(t, p.log.String(), "insecure_hosts")
	origin.ClearFaults()
	for name := range locations {
		requireSame(t, contentOf(t, shaped(small, name, 42).Content), readInTime(t, filepath.Join(dir, name)))
	}
}

// A document must not be able to make the mount read the intranet.
func TestLinkToIntranet_IsRefused(t *testing.T) {
	origin := trapOrigin(t, linksim.WithTLS())
	plain := trapOrigin(t)
	plain.Put(linksim.Object{Path: "own link", Content: linksim.Pattern(43, 100)})
	addresses := map[string]string{
		"plain http":           plain.FileURL("own link"),
		"https on loopback":    origin.URL() + "/f/x",
		"a name for loopback":  strings.Replace(origin.URL(), "127.0.0.1", "localhost", 1) + "/f/x",
		"loopback in IPv6":     "https://[::1]:443/x",
		"mapped loopback":      "https://[::ffff:127.0.0.1]:443/x",
		"cloud metadata":       "https://169.254.169.254/latest/meta-data",
		"private address":      "https://10.1.2.3/x",
		"carrier NAT":          "https://100.100.100.200/latest/meta-data",
		"this host":            "https://0.0.0.0/x",
		"http cloud metadata":  "http://169.254.169.254/latest/meta-data",
		"http on a public one": "http://93.184.215.14/x",
	}
	for name, address := range addresses {
		plain.Put(linksim.Object{Path: name, Content: linksim.Pattern(43, 100), Terms: linksim.Terms{URL: address}})
		plain.Put(linksim.Object{Path: name + " of unknown size", Content: linksim.Pattern(43, 100), HideSize: true, Terms: linksim.Terms{URL: address}})
	}
	p, dir := mountHosts(t, plain, "[]")
	for name := range addresses {
		t.Run(name, func(t *testing.T) {
			requireFails(t, filepath.Join(dir, name), nil, unix.EACCES)
			requireFails(t, filepath.Join(dir, name+" of unknown size"), nil, unix.EACCES)
		})
	}
	assert.Zero(t, plain.Counts().Gets)
	assert.Zero(t, origin.Counts().Gets)
	assert.Contains(t, p.log.String(), "insecure_hosts can allow it", "the log tells what to do")
	assert.Contains(t, p.log.String(), "169.254.169.254")
}

func TestBoundHeaders_AreRenewedWithTheirURL(t *testing.T) {
	origin := trapOrigin(t)
	content := linksim.Pattern(44, 16*mib)
	origin.Put(linksim.Object{Path: "f", Content: content, Terms: boundTerms()})
	_, dir := mountOrigin(t, origin, settings{})
	f := openFile(t, filepath.Join(dir, "f"))
	for i := range int64(4) {
		requireAt(t, f, content, 1+i*4*mib, 8192)
		origin.ExpireLinks()
	}
	requireSame(t, contentOf(t, content), read(t, f.Name()))
	counts := origin.Counts()
	assert.Zero(t, counts.BadHeaders)
	// Where reading is slow, links that die so young are renewed ahead of time.
	assert.GreaterOrEqual(t, counts.LinksIssued, 5)
	assert.LessOrEqual(t, counts.LinksIssued, 20)
	for _, r := range origin.Requests() {
		for name := range boundTerms().Header {
			assert.Contains(t, r.Header, name)
		}
	}
}

func TestDeadLink_OneRenewal(t *testing.T) {
	origin := trapOrigin(t)
	shapes, statuses := []string{small, large, hidden, counted}, []int{403, 401, 404, 410, 200, 400}
	// Each has a directory, so that nobody is asked for before it is read.
	name := func(status int, shape string) string { return fmt.Sprintf("%d, %s/f.pdf", status, shape) }
	for _, status := range statuses {
		for _, shape := range shapes {
			object := shaped(shape, name(status, shape), 45)
			origin.Put(object)
			origin.Link(object.Path, object.Terms)
		}
	}
	// The links are dead when they are given out.
	origin.ExpireLinks()
	_, dir := mountOrigin(t, origin, settings{sim: "batch = 1"})
	for _, status := range statuses {
		for _, shape := range shapes {
			t.Run(name(status, shape), func(t *testing.T) {
				origin.SetDeadStatus(status)
				origin.InjectAPI(linksim.LinkCall, linksim.Fault{Kind: linksim.OldLinks, Times: 1})
				content := shaped(shape, "", 45).Content
				requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, name(status, shape))))
				counts := origin.CountsOf(name(status, shape))
				assert.Equal(t, 2, counts.LinksIssued, "the dead one, and one more")
				// The kernel may ask for several places before the first is answered.
				assert.GreaterOrEqual(t, counts.DeadUses, 1)
				assert.Zero(t, counts.OverUses)
			})
		}
	}
}

// The link dies long before the time that it tells.
func TestDeadLink_EarlyDeath(t *testing.T) {
	for _, status := range []int{403, 401, 404, 410, 200} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			origin := trapOrigin(t)
			origin.SetDeadStatus(status)
			content := linksim.Pattern(46, 16*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, Terms: linksim.Terms{Lifetime: time.Hour}})
			_, dir := mountOrigin(t, origin, settings{})
			f := openFile(t, filepath.Join(dir, "f"))
			requireAt(t, f, content, 3*mib, 8192)
			origin.ExpireLinksOf("f")
			requireAt(t, f, content, 9*mib, 8192)
			counts := origin.Counts()
			assert.Equal(t, 2, counts.LinkCalls)
			assert.Equal(t, 1, counts.DeadUses)
		})
	}
}

// Every link is dead when it comes.
func TestDeadLink_ForEver(t *testing.T) {
	for _, row := range []struct {
		status int
		read   unix.Errno // of a file of known size
		lookup unix.Errno // of one whose size must be learnt
	}{
		{403, unix.EACCES, unix.EACCES},
		{401, unix.EACCES, unix.EACCES},
		{404, unix.ESTALE, unix.ENOENT},
		{410, unix.EACCES, unix.EACCES}, // it says that the request has expired
		{200, unix.EACCES, unix.EACCES},
	} {
		origin := trapOrigin(t)
		origin.SetDeadStatus(row.status)
		shapes := []string{small, large, hidden, counted}
		for _, shape := range shapes {
			object := shaped(shape, shape+".pdf", 47)
			object.Terms.Lifetime, object.Terms.Early = time.Hour, time.Hour
			origin.Put(object)
		}
		_, dir := mountOrigin(t, origin, settings{})
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%d, %s", row.status, shape), func(t *testing.T) {
				path, errno := filepath.Join(dir, shape+".pdf"), row.read
				if shape == hidden || shape == counted {
					errno = row.lookup
				}
				requireFails(t, path, nil, errno)
				requireFails(t, path, nil, errno)
				counts := origin.CountsOf(shape + ".pdf")
				// Twice two, where the refusal is forgotten before the second look.
				assert.LessOrEqual(t, counts.LinksIssued, 6)
				// Places that the kernel asked for at once share a link.
				assert.LessOrEqual(t, counts.Gets, 16)
			})
		}
	}
}

func TestRefusedLinks(t *testing.T) {
	for refusal, errno := range map[linksim.Refusal]unix.Errno{
		linksim.Forbidden: unix.EACCES, linksim.Unsupported: unix.EOPNOTSUPP,
		linksim.Missing: unix.ESTALE,
	} {
		t.Run(string(refusal), func(t *testing.T) {
			origin := trapOrigin(t)
			origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(48, 300_001), Terms: linksim.Terms{Refusal: refusal}})
			_, dir := mountOrigin(t, origin, settings{})
			requireFails(t, filepath.Join(dir, "f"), nil, errno)
			assert.LessOrEqual(t, origin.Counts().LinkCalls, 6)
			assert.Zero(t, origin.Counts().Gets)
		})
	}
}

func TestRemovedWhileOpen(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	content := linksim.Pattern(49, 16*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	_, dir := mountOrigin(t, origin, settings{mount: "listing_ttl = \"100ms\"\nentry_timeout = \"100ms\"\nattr_timeout = \"100ms\""})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, content, 3*mib, 8192)
	origin.Remove("f")
	failsAt(t, f, 9*mib, unix.ESTALE)
	assert.LessOrEqual(t, origin.Counts().LinkCalls, 6)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, err := os.Stat(filepath.Join(dir, "f"))
		if errors.Is(err, unix.ENOENT) {
			break
		}
		require.Less(t, time.Since(began), patience, "the name stays")
	}
	origin.Put(linksim.Object{Path: "f", Content: content})
	requireSame(t, contentOf(t, content), readInTime(t, filepath.Join(dir, "f")))
}

// goesOn finds the request for a file that began at off, or in the page before it:
// between two reads of one reader nobody waits, and then only whole pages are kept.
func goesOn(origin *linksim.Origin, id string, off int64) bool {
	const page = 64 << 10
	for _, r := range origin.Requests() {
		var first int64
		if r.ID != id {
			continue
		}
		if n, _ := fmt.Sscanf(r.Range, "bytes=%d-", &first); n == 1 && first <= off && first >= off/page*page {
			return true
		}
	}
	return false
}

func TestBrokenTransfer_GoesOnWhereItStopped(t *testing.T) {
	const after = 200_003
	kinds, shapes := []linksim.FaultKind{linksim.Stall, linksim.CleanCut}, []string{small, large, counted}
	for _, kind := range kinds {
		origin := trapOrigin(t)
		for _, shape := range shapes {
			origin.Put(shaped(shape, shape, 50))
			origin.Inject(shape, linksim.Fault{Kind: kind, After: after, Times: 1})
		}
		_, dir := mountOrigin(t, origin, settings{read: `stall = "300ms"`})
		for _, shape := range shapes {
			t.Run(fmt.Sprintf("%s of %s", kind, shape), func(t *testing.T) {
				requireSame(t, contentOf(t, shaped(shape, "", 50).Content), read(t, filepath.Join(dir, shape)))
				assert.True(t, goesOn(origin, shape, after), "%+v", origin.Requests())
				assert.Equal(t, 1, origin.CountsOf(shape).LinksIssued)
			})
		}
	}
}

func TestBrokenTransfers_ReaderSeesNothing(t *testing.T) {
	t.Parallel()
	rows := map[string]linksim.Fault{
		"every reply ends early":     {Kind: linksim.CleanCut, After: 400_003},
		"every other reply is reset": {Kind: linksim.CutBody, After: 100_003, Every: 2},
		"three connections refused":  {Kind: linksim.Refuse, Times: 3},
		"every other 503":            {Kind: linksim.Status, Every: 2},
		"every third 503":            {Kind: linksim.Status, Every: 3},
		"three times 502":            {Kind: linksim.Status, Status: 502, Times: 3},
		"three times 429":            {Kind: linksim.Status, Status: 429, Times: 3},
		"two stalls without a byte":  {Kind: linksim.Stall, Times: 2},
		"two stalls before headers":  {Kind: linksim.Late, Delay: time.Hour, Times: 2},
	}
	origin, shapes := trapOrigin(t), []string{small, large, hidden}
	for name, fault := range rows {
		for _, shape := range shapes {
			origin.Put(shaped(shape, name+", "+shape, 51))
			origin.Inject(name+", "+shape, fault)
		}
	}
	_, dir := mountOrigin(t, origin, settings{read: `stall = "500ms"`})
	for name := range rows {
		for _, shape := range shapes {
			t.Run(name+", "+shape, func(t *testing.T) {
				requireSame(t, contentOf(t, shaped(shape, "", 51).Content), read(t, filepath.Join(dir, name+", "+shape)))
				assert.Equal(t, 1, origin.CountsOf(name+", "+shape).LinksIssued, "the link is not to blame")
			})
		}
	}
}

func TestRetryAfter_IsObeyed(t *testing.T) {
	origin := trapOrigin(t)
	object := shaped(small, "f", 52)
	origin.Put(object)
	origin.Inject("f", linksim.Fault{Kind: linksim.Status, Status: 429, Header: http.Header{"Retry-After": {"1"}}, Times: 1})
	_, dir := mountOrigin(t, origin, settings{})
	requireSame(t, contentOf(t, object.Content), read(t, filepath.Join(dir, "f")))
	requests := origin.Requests()
	require.Len(t, requests, 2)
	assert.GreaterOrEqual(t, requests[1].Time.Sub(requests[0].Time), time.Second)
}

// A read that is throttled to the end must not fail with EAGAIN: programs with
// an event loop, those in Go too, would wait for the file to become readable.
func TestThrottled_ReadersDoNotWaitForEver(t *testing.T) {
	const files = 16
	origin := trapOrigin(t)
	for i := range files {
		origin.Put(shaped(small, fmt.Sprint(i), 57))
	}
	origin.Inject("", linksim.Fault{Kind: linksim.Status, Status: 429})
	_, dir := mountOrigin(t, origin, settings{read: "deadline = \"1s\"\nstall = \"500ms\""})
	failed := make(chan error, files)
	for i := range files {
		go func() {
			_, err := readRaw(filepath.Join(dir, fmt.Sprint(i)))
			failed <- err
		}()
	}
	for range files {
		requireErrno(t, <-failed, unix.EIO, unix.ETIMEDOUT)
	}
}

// What never gets better ends at the deadline, and does not last.
func TestNothingComes_UntilTheDeadline(t *testing.T) {
	rows := map[string]linksim.Fault{
		"trickle":                  {Kind: linksim.Trickle, After: 100},
		"stall":                    {Kind: linksim.Stall, After: 100},
		"stall before the headers": {Kind: linksim.Late, Delay: time.Hour},
		"503":                      {Kind: linksim.Status},
		"429":                      {Kind: linksim.Status, Status: 429, Header: http.Header{"Retry-After": {"3600"}}},
		"refused":                  {Kind: linksim.Refuse},
	}
	origin, shapes := trapOrigin(t), []string{small, hidden}
	for name, fault := range rows {
		for _, shape := range shapes {
			origin.Put(shaped(shape, name+", "+shape, 53))
			origin.Inject(name+", "+shape, fault)
		}
	}
	_, dir := mountOrigin(t, origin, settings{read: "deadline = \"2s\"\nstall = \"1500ms\""})
	t.Run("now", func(t *testing.T) {
		for name := range rows {
			for _, shape := range shapes {
				t.Run(name+", "+shape, func(t *testing.T) {
					t.Parallel()
					errnos := []unix.Errno{unix.EIO, unix.ETIMEDOUT}
					if shape == hidden { // from stat and open; of a read it would mean: wait for poll
						errnos = append(errnos, unix.EAGAIN)
					}
					began := time.Now()
					requireFails(t, filepath.Join(dir, name+", "+shape), contentOf(t, shaped(shape, "", 53).Content), errnos...)
					assert.Less(t, time.Since(began), patience/2)
				})
			}
		}
	})
	origin.ClearFaults()
	for name := range rows {
		for _, shape := range shapes {
			t.Run(name+", "+shape+", then the bytes", func(t *testing.T) {
				requireSame(t, contentOf(t, shaped(shape, "", 53).Content), readInTime(t, filepath.Join(dir, name+", "+shape)))
			})
		}
	}
}

func TestOriginDown_ForASecond(t *testing.T) {
	for _, leaseAtHand := range []bool{true, false} {
		t.Run(fmt.Sprintf("lease at hand %v", leaseAtHand), func(t *testing.T) {
			origin := trapOrigin(t)
			content := linksim.Pattern(54, 16*mib)
			origin.Put(linksim.Object{Path: "f", Content: content})
			_, dir := mountOrigin(t, origin, settings{})
			f := openFile(t, filepath.Join(dir, "f"))
			if leaseAtHand {
				requireAt(t, f, content, 3*mib, 8192)
			}
			require.NoError(t, origin.Down())
			up := make(chan error, 1)
			time.AfterFunc(time.Second, func() { up <- origin.Up() })
			requireAt(t, f, content, 9*mib, 8192)
			require.NoError(t, <-up)
			requireSame(t, contentOf(t, content), read(t, f.Name()))
		})
	}
}

func TestOriginDown_InMidTransfer(t *testing.T) {
	origin := trapOrigin(t)
	content := linksim.Pattern(55, 16*mib)
	origin.Put(linksim.Object{Path: "f", Content: content, Behaviour: linksim.Behaviour{BytesPerSecond: 8 * mib}})
	_, dir := mountOrigin(t, origin, settings{})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, content, 0, 8192)
	require.NoError(t, origin.Down())
	up := make(chan error, 1)
	time.AfterFunc(time.Second, func() { up <- origin.Up() })
	requireSame(t, contentOf(t, content), read(t, f.Name()))
	require.NoError(t, <-up)
}

func TestOriginDown_ForEver(t *testing.T) {
	origin := trapOrigin(t)
	content := linksim.Pattern(56, 16*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	_, dir := mountOrigin(t, origin, settings{read: "deadline = \"2s\"\nstall = \"1s\""})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, content, 3*mib, 8192)
	require.NoError(t, origin.Down())
	began := time.Now()
	failsAt(t, f, 9*mib, unix.EIO, unix.ETIMEDOUT)
	assert.Less(t, time.Since(began), patience/2)
	requireAt(t, f, content, 3*mib, 8192) // what is here stays here
	require.NoError(t, origin.Up())
	requireSame(t, contentOf(t, content), readInTime(t, f.Name()))
}
