package resolver

import (
	"context"
	"time"
)

// ID names a file or directory within one provider. It is stable over time and
// carries everything that the provider needs to resolve it again after a
// restart. The root directory is the empty ID.
type ID string

// Root is the ID of a provider's top directory.
const Root ID = ""

// SizeUnknown is the size of an entry whose length the listing does not tell.
const SizeUnknown int64 = -1

// Entry is what a provider says of one name in a directory.
type Entry struct {
	// ID is unique within the provider: one ID, one file.
	ID ID
	// Name is the name as the provider has it, which may be any text; the
	// catalog makes it a safe and unique file name.
	Name string
	// Dir tells a directory, of which only ID, Name and ModTime count.
	Dir bool
	// Version changes whenever the content does, and only then; empty when
	// the listing holds nothing that could tell.
	Version string
	// Size is the length in bytes, or SizeUnknown.
	Size int64
	// ModTime is the best time that the provider gives. It never changes by
	// itself; zero when there is none.
	ModTime time.Time
	// SHA256 is the digest of the content, or nil when it is not known.
	SHA256 []byte
	// Link is one that the listing brought along, with Obtained set; nil when
	// it brought none.
	Link *Link
	// Children is the complete listing of a directory that the listing of its
	// parent brought along, empty but not nil if there is nothing in it. Such a
	// directory is never listed by itself: it is as fresh as its parent. Nil
	// when the parent's listing does not tell.
	Children []Entry
}

// Page is one page of a listing.
type Page struct {
	Entries []Entry
	// Next asks for the following page; empty on the last one. A page without
	// entries may have a Next.
	Next string
	// Mark, on the last page, is what an Updater needs to list later what is
	// new since then; empty when it cannot.
	Mark string
	// Gone are entries that are there no more. Only Update tells them.
	Gone []ID
}

// Answer is what a provider says of one id that it was asked to resolve: a
// link, or the error that concerns this id alone.
type Answer struct {
	Link Link
	Err  error
}

// Provider speaks one service's API. Its methods may be called in parallel and
// return when ctx ends. Errors are of the kinds in this package (see
// [ErrNotExist] and the others); one of no kind counts as ErrUnavailable. A
// provider does not retry: who called it decides.
type Provider interface {
	// List returns one page of directory dir; the empty cursor asks for the
	// first. Asking for a directory that is gone is ErrNotExist.
	List(ctx context.Context, dir ID, cursor string) (Page, error)

	// Resolve returns an answer for each id, in the order of ids: always a
	// link obtained now, never one remembered. It makes one call for links.
	// The ids are of one group and no more than one call takes (see Batcher;
	// one id if the provider is none). The error is about the call as a whole,
	// such as ErrThrottled; one that is final for files (ErrPermission,
	// ErrNotExist, ErrUnsupported) may be about some of them, and they are
	// asked for again in smaller batches.
	Resolve(ctx context.Context, ids []ID) ([]Answer, error)
}

// Batcher is a provider that takes several ids in one call of Resolve.
type Batcher interface {
	// Batch says with what else an id can be asked for. It makes no call and
	// answers always the same for an id.
	Batch(id ID) Batch
}

// Batch says what rides in one call of Resolve.
type Batch struct {
	// Lane names the limit that the calls fall under; those of one lane wait
	// for it together (see Pacer).
	Lane string
	// Group is shared by ids that one call can take, within the lane.
	Group string
	// Size is how many ids one call takes, at least 1.
	Size int
}

// Pacer is a provider whose calls for links have to wait for their turn.
type Pacer interface {
	// Turn returns when one call of Resolve for a batch of the lane may be
	// made; the call itself does not wait again. Of those who wait the most
	// urgent goes first (see Demand). It is ErrQuota at once when a budget is
	// spent, ErrThrottled when the provider asked for a longer pause than is
	// waited for, and may fail as a call of Resolve does, as when there is no
	// token for it; else it ends with ctx only.
	Turn(ctx context.Context, lane string) error
}

// Updater is a provider that can list what is new in a directory, at a fraction
// of the cost of listing it again.
type Updater interface {
	// Update is List for what changed since the listing, or update, whose last
	// page had this Mark: its entries are new, or take the place of those with
	// the same ID. It may miss what went away, so the directory is listed whole
	// from time to time. ErrUnsupported asks for that now.
	Update(ctx context.Context, dir ID, mark, cursor string) (Page, error)
}

// Accounter is a provider that can tell the account it acts for, so that the
// cache never mixes two of them. The text is stable and holds no secret.
type Accounter interface {
	Account() string
}

// Revisioner is a provider that can tell cheaply, without a network call,
// whether its listings may have changed: a different revision means that
// listings made under another one are to be asked for again.
type Revisioner interface {
	Revision() string
}

// Prober looks at what is behind a link, by one small request. It is for
// providers whose listings do not tell of what kind a file is, and which tell the
// link along with the listing then.
type Prober interface {
	// Probe returns the media type that the content has, by its first bytes or
	// else by the origin's word, and its length, or SizeUnknown.
	Probe(ctx context.Context, link Link) (mediaType string, size int64, err error)
}
