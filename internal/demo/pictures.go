package demo

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
)

const (
	pictureWidth  = 1200
	pictureHeight = 800
)

// tint is a colour with parts from 0 to 255. Adding may take them higher, never
// lower.
type tint struct{ r, g, b float64 }

func (c tint) scaled(by float64) tint { return tint{c.r * by, c.g * by, c.b * by} }

func (c tint) plus(d tint) tint { return tint{c.r + d.r, c.g + d.g, c.b + d.b} }

func (c tint) rgba() color.RGBA {
	part := func(v float64) uint8 { return uint8(min(v, 255)) }
	return color.RGBA{R: part(c.r), G: part(c.g), B: part(c.b), A: 255}
}

// clamp brings t into [0, 1].
func clamp(t float64) float64 { return min(max(t, 0), 1) }

// blend goes from a to b as t goes from 0 to 1.
func blend(a, b tint, t float64) tint {
	t = clamp(t)
	return a.scaled(1 - t).plus(b.scaled(t))
}

// hue is a bright colour of the wheel, which t goes around once in [0, 1].
func hue(t float64) tint {
	part := func(shift float64) float64 { return 128 + 110*math.Cos(2*math.Pi*(t-shift)) }
	return tint{part(0), part(1.0 / 3), part(2.0 / 3)}
}

// noise is a number in [0, 1) that looks random and depends on a and b alone.
func noise(a, b int) float64 {
	return float64(scramble(uint64(a)<<32|uint64(uint32(b)))>>11) / (1 << 53)
}

// scramble is the finishing step of the SplitMix64 generator.
func scramble(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

func jpegBytes(img image.Image, quality int) []byte {
	var out bytes.Buffer
	must(jpeg.Encode(&out, img, &jpeg.Options{Quality: quality}))
	return out.Bytes()
}

func pngBytes(img image.Image) []byte {
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	must(encoder.Encode(&out, img))
	return out.Bytes()
}

// The panes of stainedGlass: their usual size in pixels, and how many there are.
const (
	pane        = 80
	paneColumns = pictureWidth / pane
	paneRows    = pictureHeight / pane
)

// stainedGlass is panes around scattered points, with lead between them. It
// has few colours, so that it can have a palette.
func stainedGlass() []byte {
	palette := color.Palette{color.RGBA{R: 24, G: 22, B: 30, A: 255}}
	var middles [paneRows][paneColumns]point
	for i := range paneRows * paneColumns {
		row, column := i/paneColumns, i%paneColumns
		middles[row][column] = point{
			x: (float64(column) + 0.1 + 0.8*noise(i, 1)) * pane,
			y: (float64(row) + 0.1 + 0.8*noise(i, 2)) * pane,
		}
		turn := 0.5*float64(column)/paneColumns + 0.3*float64(row)/paneRows
		c := hue(0.45 + turn + 0.14*noise(i, 3))
		palette = append(palette, c.scaled(0.75+0.3*noise(i, 4)).rgba())
	}
	img := image.NewPaletted(image.Rect(0, 0, pictureWidth, pictureHeight), palette)
	for y := range pictureHeight {
		for x := range pictureWidth {
			if nearest, edge := paneAt(&middles, x, y); edge > 2.5 {
				img.Pix[y*img.Stride+x] = uint8(1 + nearest)
			}
		}
	}
	return pngBytes(img)
}

type point struct{ x, y float64 }

// paneAt finds the pane whose middle is nearest to x, y, counted row by row,
// and how far away its edge is.
func paneAt(middles *[paneRows][paneColumns]point, x, y int) (nearest int, edge float64) {
	var first, second point
	least, next := math.Inf(1), math.Inf(1)
	for row := max(0, y/pane-1); row <= min(y/pane+1, paneRows-1); row++ {
		for column := max(0, x/pane-1); column <= min(x/pane+1, paneColumns-1); column++ {
			m := middles[row][column]
			dx, dy := m.x-float64(x), m.y-float64(y)
			distance := dx*dx + dy*dy
			switch {
			case distance < least:
				second, next = first, least
				first, least = m, distance
				nearest = row*paneColumns + column
			case distance < next:
				second, next = m, distance
			}
		}
	}
	apart := math.Hypot(second.x-first.x, second.y-first.y)
	return nearest, (next - least) / (2 * apart)
}

// escapeLimit is how many steps a point of the Julia set is followed.
const escapeLimit = 100

// julia is the Julia set of -0.79+0.15i. It looks the same upside down, so
// only half of it is worked out.
func julia() []byte {
	const scale = 3.1 / pictureWidth
	ramp := juliaRamp()
	img := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for y := range pictureHeight / 2 {
		for x := range pictureWidth {
			re := (float64(x) - (pictureWidth-1)/2.0) * scale
			im := (float64(y) - (pictureHeight-1)/2.0) * scale
			c := ramp[int(escape(re, im)/escapeLimit*float64(len(ramp)-1))]
			img.SetRGBA(x, y, c)
			img.SetRGBA(pictureWidth-1-x, pictureHeight-1-y, c)
		}
	}
	return jpegBytes(img, 88)
}

// escape is after how many steps, with a fraction, a point runs away: from 0
// to escapeLimit, which means never.
func escape(re, im float64) float64 {
	const horizon = 64
	for n := range escapeLimit {
		re2, im2 := re*re, im*im
		if re2+im2 > horizon {
			return max(0, float64(n)+1-math.Log2(math.Log2(re2+im2)/6))
		}
		re, im = re2-im2-0.79, 2*re*im+0.15
	}
	return escapeLimit
}

// juliaRamp goes from night outside to light near the set, which is dark.
func juliaRamp() []color.RGBA {
	ramp := make([]color.RGBA, 4096)
	for i := range ramp {
		t := math.Sqrt(float64(i) / float64(len(ramp)))
		glow := 90 * t * t
		ramp[i] = hue(0.6 + 0.62*t).scaled(0.15 + 1.1*t).plus(tint{glow, glow, glow}).rgba()
	}
	ramp[len(ramp)-1] = color.RGBA{R: 14, G: 8, B: 26, A: 255}
	return ramp
}

// seal is a company's round red stamp with its star, on nothing.
func seal() []byte {
	const size, radius = 240, 112.0
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			dx, dy := float64(x)+0.5-size/2, float64(y)+0.5-size/2
			distance := math.Hypot(dx, dy)
			ring := clamp(4.5 - math.Abs(distance-radius))
			cover := max(ring, star(dx, dy, 52))
			ink := 0.75 + 0.25*noise(x, y)
			img.SetNRGBA(x, y, color.NRGBA{R: 206, G: 24, B: 32, A: uint8(255 * cover * ink)})
		}
	}
	return pngBytes(img)
}

// star is how much of the pixel at dx, dy lies in a five-pointed star around
// the origin whose tips are radius away, one of them above.
func star(dx, dy, radius float64) float64 {
	const point = 2 * math.Pi / 5
	angle := math.Abs(math.Remainder(math.Atan2(dx, -dy), point))
	edge := math.Cos(point) * radius
	return clamp(edge - math.Hypot(dx, dy)*math.Cos(point-angle) + 0.5)
}
