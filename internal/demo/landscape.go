package demo

import (
	"image"
	"math"
)

const (
	// shore is the row where the far bank meets the lake.
	shore = 470
	// deepest is how many rows above the shore the lake mirrors at most.
	deepest = pictureHeight - shore
)

// landscape is a lake before hills, with a pagoda on the bank and a boat.
type landscape struct {
	zenith, horizon tint
	// disc is the sun or the moon, with its centre and radius in pixels.
	disc                tint
	discX, discY, discR float64
	// glow is the light around the disc, out to about haze radii.
	glow tint
	haze float64
	// far and near are the colours of the hills.
	far, near tint
	water     tint
	stars     bool
}

func sunset() []byte {
	return pngBytes(landscape{
		zenith: tint{58, 52, 110}, horizon: tint{255, 170, 96},
		disc: tint{255, 244, 206}, discX: 760, discY: 372, discR: 46,
		glow: tint{255, 150, 60}, haze: 3.2,
		far: tint{214, 122, 104}, near: tint{52, 30, 62},
		water: tint{70, 44, 92},
	}.draw())
}

func moonlight() []byte {
	return jpegBytes(landscape{
		zenith: tint{8, 12, 34}, horizon: tint{52, 78, 122},
		disc: tint{250, 246, 226}, discX: 420, discY: 170, discR: 38,
		glow: tint{130, 150, 180}, haze: 2.4,
		far: tint{40, 60, 100}, near: tint{8, 12, 26},
		water: tint{10, 18, 44}, stars: true,
	}.draw(), 90)
}

// draw paints the sky and its hills, then mirrors them, row by row, in ripples.
func (l landscape) draw() image.Image {
	const ripples = 0.9
	img := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	above := l.aboveShore()
	for y := range pictureHeight {
		depth := float64(y-shore) / deepest
		for x := range pictureWidth {
			if y < shore {
				img.SetRGBA(x, y, above[y][x].rgba())
				continue
			}
			fx, fy := float64(x), float64(y)
			wave := math.Sin(ripples*fy/(0.4+2.2*depth)+5*math.Sin(fx/170+fy/23)) * (1 + 9*depth)
			row := shore - 1 - int(math.Abs(fy-shore+0.6*wave))
			column := x + int(1.3*wave)
			mirrored := above[min(max(row, 0), shore-1)][min(max(column, 0), pictureWidth-1)]
			c := blend(mirrored, l.water, 0.12+0.5*depth)
			c = c.plus(l.glow.scaled(l.glint(fx, depth, wave/(1+9*depth))))
			c = blend(c, l.near.scaled(0.6), boat(fx-560, fy-640))
			img.SetRGBA(x, y, c.rgba())
		}
	}
	return img
}

// glint is the light that waves throw towards us from under the disc.
func (l landscape) glint(x, depth, wave float64) float64 {
	spread := l.discR * (0.7 + 2.2*depth)
	off := (x - l.discX) / spread
	return max(0, wave) * 0.75 / (1 + off*off*off*off)
}

// aboveShore is the upper part of the picture, row by row.
func (l landscape) aboveShore() [][]tint {
	hills := l.hills()
	rows := make([][]tint, shore)
	for y := range rows {
		rows[y] = make([]tint, pictureWidth)
		for x := range rows[y] {
			c := l.sky(x, y)
			for _, h := range hills {
				if cover := float64(y) - h.top[x] + 0.5; cover > 0 {
					c = blend(c, blend(h.color, l.horizon, h.mist*float64(y)/shore), cover)
				}
			}
			rows[y][x] = blend(c, l.near, pagoda(float64(x)-205, float64(y)-278))
		}
	}
	return rows
}

func (l landscape) sky(x, y int) tint {
	t := float64(y) / shore
	c := blend(l.zenith, l.horizon, t*t*(1.6-0.6*t))
	if l.stars && noise(x, y) > 0.9988 {
		c = c.plus(tint{200, 205, 220}.scaled(noise(y, x) * (1 - t)))
	}
	streak := math.Sin(float64(y)/17+1.5*math.Sin(float64(x)/210)) * math.Sin(float64(x)/330+float64(y)/60)
	c = c.plus(l.glow.scaled(0.12 * max(0, streak) * t))
	dx, dy := float64(x)-l.discX, float64(y)-l.discY
	distance := math.Sqrt(dx*dx + dy*dy)
	spread := distance / (l.discR * l.haze)
	c = c.plus(l.glow.scaled(0.8 / (1 + spread*spread)))
	return blend(c, l.disc, l.discR-distance+0.5)
}

// hill is one ridge: its highest row in every column.
type hill struct {
	color tint
	mist  float64
	top   []float64
}

// hills are sorted from far to near.
func (l landscape) hills() []hill {
	const ridges = 4
	hills := make([]hill, ridges)
	for i := range hills {
		nearness := float64(i) / (ridges - 1)
		h := hill{
			color: blend(l.far, l.near, nearness),
			mist:  0.5 * (1 - nearness),
			top:   make([]float64, pictureWidth),
		}
		phase, height := float64(i)*2.1, 62-8*float64(i)
		for x := range h.top {
			fx := float64(x)
			rise := 0.6*math.Sin(fx/(190-25*nearness)+phase) +
				0.25*math.Sin(fx/71+3*phase) +
				0.05*math.Sin(fx/17+phase) + 0.02*math.Sin(fx/5)
			h.top[x] = 355 + 36*float64(i) - height*rise
		}
		hills[i] = h
	}
	l.raiseBank(hills[ridges-1].top)
	return hills
}

// raiseBank makes room for the pagoda on the near ridge, on the left.
func (l landscape) raiseBank(top []float64) {
	for x := range top {
		off := (float64(x) - 205) / 170
		top[x] -= 62 / (1 + off*off*off*off)
	}
}

// pagoda is how much of the pixel at dx, dy from the middle of the top roof is
// covered: below it storey under storey, each wider, above it a spire.
func pagoda(dx, dy float64) float64 {
	const storeys, storey = 6, 24.0
	dx = math.Abs(dx)
	if dx > 50 || dy < -40 || dy >= storeys*storey {
		return 0
	}
	if dy < 0 {
		return clamp(2.2 + dy/18 - dx)
	}
	level := math.Floor(dy / storey)
	half := 15 + 4*level
	if eave := (dy/storey - level) / 0.45; eave < 1 {
		half += 16*eave*eave - 6
	}
	return clamp(half - dx + 0.5)
}

// boat is how much of the pixel at dx, dy from the boat's middle is covered: a
// hull, a roof of mats, and someone who poles it along.
func boat(dx, dy float64) float64 {
	if math.Abs(dx) > 100 || math.Abs(dy) > 70 {
		return 0
	}
	deck := -dx * dx / 700
	hull := min(clamp(dy-deck+0.5), clamp(11-dx*dx/500-dy+0.5))
	roof := ellipse(dx+8, min(dy, 0), 34, 24)
	if dy > 0 {
		roof = 0
	}
	man := max(ellipse(dx-48, dy+18, 5, 17), ellipse(dx-48, dy+38, 5, 5), ellipse(dx-48, dy+40, 11, 2.5))
	pole := clamp(1.6-math.Abs(dx-60-dy*0.25)) * clamp(dy+60) * clamp(30-dy)
	return max(hull, roof, man, pole)
}
