package resolver

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"time"
)

// Ranged tells whether a link's origin answers ranged requests.
type Ranged int8

// What is known of an origin's ranges.
const (
	RangedUnknown Ranged = iota
	RangedYes
	RangedNo
)

// Link is one answer of a provider for one file: where the bytes are for a
// while, and on what terms. It is a value; the broker lends it as a [Lease].
// Printing a link shows its host and a hash, nothing secret.
type Link struct {
	// URLs are equivalent mirrors, at least one.
	URLs []Secret
	// Header is sent with requests to the hosts of URLs and to no other host.
	Header map[string]Secret
	// Expires is when the provider says that the link dies, by its own clock;
	// zero when it does not say.
	Expires time.Time
	// Lifetime is how long a link of this provider lives from Obtained on, by
	// its documents; 0 when they do not say. What ends first counts.
	Lifetime time.Duration
	// Obtained is when the link was asked for, by our clock; zero is now.
	Obtained time.Time
	// ServerTime is the provider's clock when the link was obtained (the Date
	// of its reply), by which Expires is read; zero when it was not told.
	ServerTime time.Time
	// Uses is how many requests of any kind the link survives; 0 for no limit.
	Uses int
	// Ranged is what the provider knows of ranged requests.
	Ranged Ranged
	// Size is the file's length as the link's answer tells it, or 0 when it
	// tells nothing.
	Size int64
	// Least is how many bytes a request should bring at least, where a request
	// costs more than bytes do; 0 when that is not so.
	Least int64
	// Meter grants the requests; nil when there may be any number of them.
	Meter Meter `json:"-"`
}

// Meter grants the requests with links each of which is a call of the provider's
// API, under its rates and budgets. Its methods may be called in parallel.
type Meter interface {
	// Turn returns when one request may be sent. It fails as that of a [Pacer]
	// does: ErrQuota at once when a budget is spent.
	Turn(ctx context.Context) error
	// Throttled says that a request was answered with "too often", and to wait
	// for so long; 0 when it was not said for how long.
	Throttled(after time.Duration)
	// Denied says that a request was refused, so that requests which cost a call
	// are not spent on the same refusal again and again.
	Denied()
}

// Host returns the host of the first URL, which is not secret.
func (l Link) Host() string {
	if len(l.URLs) == 0 {
		return ""
	}
	u, err := url.Parse(l.URLs[0].Reveal())
	if err != nil {
		return "(unparsable)"
	}
	return u.Host
}

// String shows the link's host and a short hash by which two links can be told
// apart.
func (l Link) String() string {
	h := fnv.New32a()
	for _, u := range l.URLs {
		_, _ = h.Write([]byte(u.Reveal()))
	}
	return fmt.Sprintf("link %08x at %s", h.Sum32(), l.Host())
}

// LogValue shows what String shows.
func (l Link) LogValue() slog.Value { return slog.StringValue(l.String()) }
