package feishudocs

import (
	"context"
	"path"
	"regexp"
	"sync"

	"github.com/attachfs/attachfs/resolver"
)

// probes is how many pictures are looked at at a time.
const probes = 8

// extensions are what names of pictures end in.
var extensions = map[string]string{
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp",
	"image/svg+xml": ".svg", "image/tiff": ".tiff", "image/heic": ".heic", "image/avif": ".avif", "image/x-icon": ".ico",
}

// extension is what the end of a name looks like that tells what it is. Captions
// may have dots in them.
var extension = regexp.MustCompile(`^\.[A-Za-z][A-Za-z0-9]{1,4}$`)

// ProbeWith gives the provider what it looks at pictures with. Without, their
// names do not tell what they are.
func (p *Provider) ProbeWith(prober resolver.Prober) { p.prober.Store(&prober) }

// picture is what a look at one showed.
type picture struct {
	extension string // empty for what is no picture that we know
	size      int64
}

// nameTypes ends the names of pictures in what they are, if that is wanted. Each
// is looked at once, through a link that stays with the entry; one that cannot be
// looked at keeps its name.
func (p *Provider) nameTypes(ctx context.Context, s *entrySet) error {
	prober := p.prober.Load()
	if !p.cfg.ImageTypes || prober == nil {
		return nil
	}
	var unknown []*resolver.Entry
	for _, i := range s.pictures {
		e := &s.all[i]
		if known, ok := p.kinds.get(placeOf(e.ID).token()); ok {
			known.name(e)
		} else if !extension.MatchString(path.Ext(e.Name)) {
			unknown = append(unknown, e)
		}
	}
	if err := p.linkAll(ctx, unknown); err != nil {
		return err
	}
	var looking sync.WaitGroup
	places := make(chan struct{}, probes)
	for _, e := range unknown {
		if e.Link == nil {
			continue
		}
		places <- struct{}{}
		looking.Go(func() {
			defer func() { <-places }()
			p.look(ctx, *prober, e)
		})
	}
	looking.Wait()
	return ctx.Err()
}

func (p *Provider) look(ctx context.Context, prober resolver.Prober, e *resolver.Entry) {
	mediaType, size, err := prober.Probe(ctx, *e.Link)
	if err != nil {
		p.log.Debug("a picture cannot be looked at", "file", e.ID, "error", err)
		return
	}
	seen := picture{extensions[mediaType], size}
	p.kinds.put(placeOf(e.ID).token(), seen)
	seen.name(e)
}

func (k picture) name(e *resolver.Entry) {
	if !extension.MatchString(path.Ext(e.Name)) {
		e.Name += k.extension
	}
	e.Size = k.size
}

// linkAll gets links for entries, as many at a time as a call takes. Where one
// of them is refused, each is asked for alone.
func (p *Provider) linkAll(ctx context.Context, entries []*resolver.Entry) error {
	for len(entries) > 0 {
		batch := entries[:min(linksSize, len(entries))]
		entries = entries[len(batch):]
		err := p.linkSome(ctx, batch)
		if !aboutFile(err) {
			if err != nil {
				return err
			}
			continue
		}
		for i := range batch {
			if err := p.linkSome(ctx, batch[i:i+1]); err != nil && !aboutFile(err) {
				return err
			}
		}
	}
	return nil
}

func (p *Provider) linkSome(ctx context.Context, entries []*resolver.Entry) error {
	places := make([]place, len(entries))
	for i, e := range entries {
		places[i] = placeOf(e.ID)
	}
	answers, err := p.media(ctx, places, make(map[string]resolver.Answer), false)
	if err != nil {
		return err
	}
	for i, e := range entries {
		// Where each request is one of the day's, nobody looks.
		if a, ok := answers[places[i].token()]; ok && a.Err == nil && a.Link.Meter == nil {
			e.Link = &a.Link
		}
	}
	return nil
}

// maxKinds bounds what is remembered of pictures.
const maxKinds = 100_000

// pictureKinds remembers what was seen: what is behind a token does not change.
// The zero value is ready; its methods may be called in parallel.
type pictureKinds struct {
	mu   sync.Mutex // guards the following
	seen map[string]picture
}

func (k *pictureKinds) get(token string) (picture, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen, ok := k.seen[token]
	return seen, ok
}

func (k *pictureKinds) put(token string, seen picture) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil || len(k.seen) >= maxKinds {
		k.seen = make(map[string]picture)
	}
	k.seen[token] = seen
}
