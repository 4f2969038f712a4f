package demo

import (
	"bytes"
	"encoding/binary"
	"image"
	"math"
)

// sampleRate is a multiple of frameRate, so that each video frame goes with the
// same number of samples.
const (
	sampleRate = 22050
	frameRate  = 15
)

// chunk is a RIFF chunk: id, length, body, and a zero when the length is odd.
func chunk(id string, body ...[]byte) []byte {
	content := bytes.Join(body, nil)
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(content)))
	out = append(out, content...)
	if len(content)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

// list is a RIFF chunk of chunks.
func list(id, kind string, chunks ...[]byte) []byte {
	return chunk(id, append([][]byte{[]byte(kind)}, chunks...)...)
}

// packed lays out a struct of fixed-size fields, or a slice, as RIFF wants it.
func packed(v any) []byte {
	out, err := binary.Append(nil, binary.LittleEndian, v)
	must(err)
	return out
}

type waveFormat struct {
	Format, Channels          uint16
	SampleRate, ByteRate      uint32
	BlockAlign, BitsPerSample uint16
}

// pcm is 16-bit mono at sampleRate.
var pcm = waveFormat{
	Format: 1, Channels: 1,
	SampleRate: sampleRate, ByteRate: 2 * sampleRate,
	BlockAlign: 2, BitsPerSample: 16,
}

// melody is five seconds of plucked C, G, A minor and F, four notes each.
func melody() []byte {
	const step = sampleRate * 5 / 16
	chords := [][4]int{
		{60, 64, 67, 72},
		{59, 62, 67, 74},
		{57, 60, 64, 72},
		{53, 57, 60, 69},
	}
	track := make([]float64, 16*step)
	for i, chord := range chords {
		pluck(track[4*i*step:], chord[0]-12, 0.5)
		for j, note := range chord {
			pluck(track[(4*i+j)*step:], note, 0.4)
		}
	}
	fadeOut(track, sampleRate/2)
	return list("RIFF", "WAVE",
		chunk("fmt ", packed(pcm)),
		chunk("data", packed(samples(track))),
	)
}

// pluck adds a string's sound to the beginning of track. Note 69 is A at 440 Hz.
func pluck(track []float64, note int, gain float64) {
	omega := 2 * math.Pi * 440 * math.Pow(2, float64(note-69)/12) / sampleRate
	const attack, decay = sampleRate / 100.0, sampleRate / 3.0
	for i := range min(len(track), sampleRate*3/2) {
		t := float64(i)
		loudness := gain * math.Min(1, t/attack) * math.Exp(-t/decay)
		track[i] += loudness * (math.Sin(omega*t) + 0.3*math.Sin(2*omega*t))
	}
}

func fadeOut(track []float64, length int) {
	tail := track[len(track)-length:]
	for i := range tail {
		tail[i] *= 1 - float64(i)/float64(length)
	}
}

// samples turns loudness around 1 into 16 bits, bending what is too loud.
func samples(track []float64) []int16 {
	out := make([]int16, len(track))
	for i, v := range track {
		out[i] = int16(math.Tanh(v) * math.MaxInt16)
	}
	return out
}

const (
	videoWidth   = 320
	videoHeight  = 240
	videoSeconds = 4
	// The picture repeats after two seconds, so only this many are drawn.
	loopFrames = 2 * frameRate
)

type aviHeader struct {
	MicrosPerFrame, MaxByteRate, Padding, Flags uint32
	Frames, InitialFrames, Streams, BufferSize  uint32
	Width, Height                               uint32
	_                                           [4]uint32
}

type streamHeader struct {
	Type, Handler              [4]byte
	Flags                      uint32
	Priority, Language         uint16
	InitialFrames, Scale, Rate uint32
	Start, Length, BufferSize  uint32
	Quality, SampleSize        uint32
	Left, Top, Right, Bottom   int16
}

type bitmapHeader struct {
	Size                   uint32
	Width, Height          int32
	Planes, BitCount       uint16
	Compression            [4]byte
	ImageSize              uint32
	XPerMeter, YPerMeter   int32
	ColorsUsed, ColorsKept uint32
}

type indexEntry struct {
	ID                    [4]byte
	Flags, Offset, Length uint32
}

// bouncingBall is a Motion JPEG video with sound in an AVI container.
func bouncingBall() []byte {
	const frames = videoSeconds * frameRate
	movi, index := interleave(frames)
	return list("RIFF", "AVI ",
		aviHeaders(frames),
		list("LIST", "movi", movi),
		chunk("idx1", packed(index)),
	)
}

func aviHeaders(frames uint32) []byte {
	const hasIndex, interleaved = 0x10, 0x100
	main := aviHeader{
		MicrosPerFrame: 1_000_000 / frameRate, Flags: hasIndex | interleaved,
		Frames: frames, Streams: 2, Width: videoWidth, Height: videoHeight,
	}
	video := streamHeader{
		Type: [4]byte([]byte("vids")), Handler: [4]byte([]byte("MJPG")),
		Scale: 1, Rate: frameRate, Length: frames,
		Right: videoWidth, Bottom: videoHeight,
	}
	bitmap := bitmapHeader{
		Width: videoWidth, Height: videoHeight, Planes: 1, BitCount: 24,
		Compression: [4]byte([]byte("MJPG")), ImageSize: 3 * videoWidth * videoHeight,
	}
	bitmap.Size = uint32(binary.Size(bitmap))
	audio := streamHeader{
		Type:  [4]byte([]byte("auds")),
		Scale: 1, Rate: sampleRate, Length: frames * sampleRate / frameRate, SampleSize: 2,
	}
	return list("LIST", "hdrl",
		chunk("avih", packed(main)),
		list("LIST", "strl", chunk("strh", packed(video)), chunk("strf", packed(bitmap))),
		list("LIST", "strl", chunk("strh", packed(audio)), chunk("strf", packed(pcm))),
	)
}

// interleave returns the chunks of picture and sound in turn, and their index,
// whose offsets count from the list's kind, four bytes before the first chunk.
func interleave(frames int) (movi []byte, index []indexEntry) {
	const keyFrame = 0x10
	add := func(id string, body []byte) {
		index = append(index, indexEntry{
			ID: [4]byte([]byte(id)), Flags: keyFrame,
			Offset: uint32(4 + len(movi)), Length: uint32(len(body)),
		})
		movi = append(movi, chunk(id, body)...)
	}
	loop := make([][]byte, loopFrames)
	for i := range loop {
		loop[i] = jpegBytes(ballFrame(float64(i)/loopFrames), 80)
	}
	sound := packed(samples(thumps(frames)))
	const soundPerFrame = 2 * sampleRate / frameRate
	for i := range frames {
		add("00dc", loop[i%loopFrames])
		add("01wb", sound[i*soundPerFrame:(i+1)*soundPerFrame])
	}
	return movi, index
}

// thumps is the sound of the ball, which comes down once a second.
func thumps(frames int) []float64 {
	track := make([]float64, frames*sampleRate/frameRate)
	for start := 0; start < len(track); start += sampleRate {
		for i := range sampleRate / 2 {
			t := float64(i) / sampleRate
			pitch := 90 + 60*math.Exp(-20*t)
			track[start+i] = 0.8 * math.Exp(-12*t) * math.Sin(2*math.Pi*pitch*t)
		}
	}
	return track
}

// ballFrame draws the ball at phase in [0, 1) of its way from side to side and
// back, during which it bounces twice.
func ballFrame(phase float64) image.Image {
	const radius, floor = 26.0, 200.0
	bounce := math.Mod(2*phase, 1)
	height := 4 * bounce * (1 - bounce)
	squash := 1 - 0.25*math.Max(0, 1-height/0.15)
	cx := videoWidth/2 + 100*math.Sin(2*math.Pi*phase)
	cy := floor - 140*height - radius*squash

	img := image.NewRGBA(image.Rect(0, 0, videoWidth, videoHeight))
	for y := range videoHeight {
		behind := backdrop(phase, float64(y)/floor)
		plain := behind.rgba()
		for x := range videoWidth {
			dx, dy := float64(x)-cx, float64(y)-cy
			shadow := ellipse(dx, float64(y)-floor-2, radius*(1.3-0.5*height), 6)
			ball := ellipse(dx, dy, radius/squash, radius*squash)
			if shadow == 0 && ball == 0 {
				img.SetRGBA(x, y, plain)
				continue
			}
			c := blend(behind, tint{40, 30, 50}, shadow*(0.7-0.5*height))
			light := math.Hypot(dx+9, dy+9) / (1.7 * radius)
			c = blend(c, blend(tint{255, 196, 110}, tint{196, 44, 38}, light), ball)
			img.SetRGBA(x, y, c.rgba())
		}
	}
	return img
}

// backdrop is the colour behind the ball at depth, which is 0 at the top and 1
// where the ball comes down, a little below the edge of the floor.
func backdrop(phase, depth float64) tint {
	const edge = 0.96
	if depth > edge {
		return blend(tint{92, 74, 96}, tint{140, 108, 120}, 5*(depth-edge))
	}
	top := hue(0.6 + 0.08*math.Sin(2*math.Pi*phase)).scaled(0.7)
	return blend(top, tint{255, 226, 190}, depth)
}

// ellipse is how much of the pixel at dx, dy from the centre lies within.
func ellipse(dx, dy, rx, ry float64) float64 {
	if math.Abs(dx) > rx+1 || math.Abs(dy) > ry+1 {
		return 0
	}
	return clamp((1-math.Hypot(dx/rx, dy/ry))*math.Min(rx, ry) + 0.5)
}
