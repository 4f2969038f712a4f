package linksim

import (
	"compress/gzip"
	"io"
)

// compress makes the body a gzip stream without a length, compressed while it is
// sent.
func (p *reply) compress() {
	plain := io.NewSectionReader(p.content, p.start, p.span.length())
	p.header.Set("Content-Encoding", "gzip")
	p.body, p.length = &gzipped{from: plain}, lengthUntold
}

// gzipped reads from compressed.
type gzipped struct {
	from io.Reader
	to   *gzip.Writer
	out  []byte // compressed and not read yet
	done bool
}

// Write takes what the compressor puts out.
func (g *gzipped) Write(p []byte) (int, error) {
	g.out = append(g.out, p...)
	return len(p), nil
}

func (g *gzipped) Read(p []byte) (int, error) {
	if g.to == nil {
		g.to = gzip.NewWriter(g)
	}
	for len(g.out) == 0 && !g.done {
		_, err := io.CopyN(g.to, g.from, 64<<10)
		if err == io.EOF {
			g.done = true
			err = g.to.Close()
		}
		if err != nil {
			return 0, err
		}
	}
	if len(g.out) == 0 {
		return 0, io.EOF
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	return n, nil
}
