package demo

import (
	"errors"
	"io"
	"strconv"
)

// gatewayLog is a day of a web gateway's log, with an outage in the morning.
// Every line is lineLen bytes long and follows from its number, so that any
// part of the log can be written without the rest.
type gatewayLog struct{ lines int64 }

const (
	lineLen = 128
	// linePeriod is the milliseconds from line to line: 512 Ki lines fill a day.
	linePeriod = 164
)

var (
	logMethods = []string{"GET", "GET", "GET", "GET", "HEAD", "PUT"}
	logUsers   = []string{"chen.yu", "li.wei", "zhang.m", "sophie", "wang.fan", "lin.tao"}
	logNames   = []string{
		"contract.docx", "invoice-2026.pdf", "west-lake.png", "expenses.xlsx",
		"review.pptx", "standup.wav", "photos.zip", "minutes.md",
	}
)

func (l gatewayLog) Size() int64 { return l.lines * lineLen }

func (l gatewayLog) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("negative offset")
	}
	var line [lineLen]byte
	n := 0
	for n < len(p) && off < l.Size() {
		written := copy(p[n:], appendLogLine(line[:0], off/lineLen)[off%lineLen:])
		n += written
		off += int64(written)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// appendLogLine appends line n. The columns have fixed widths, which add up.
func appendLogLine(b []byte, n int64) []byte {
	luck := scramble(uint64(n))
	pick := func(words []string) string {
		luck = scramble(luck)
		return words[luck%uint64(len(words))]
	}
	level, status, took := "INFO", "200", 8+luck%180
	if outage := n*linePeriod/60_000 - 642; outage >= 0 && outage < 7 && luck%5 < 3 {
		level, status, took = "ERROR", "503", 30_000+luck%900
	}
	b = appendClock(b, n*linePeriod)
	b = appendColumn(b, level, 6)
	b = append(b, "gateway-"...)
	b = appendNumber(b, luck>>8%3+1, 1, '0')
	b = append(b, ' ')
	b = appendColumn(b, pick(logMethods), 5)
	b = append(b, "/attachments/"...)
	b = appendHex(b, scramble(luck>>4), 8)
	b = append(b, '/')
	b = appendColumn(b, pick(logNames), 19)
	b = appendColumn(b, status, 4)
	b = appendNumber(b, luck>>16%40_000_000, 9, ' ')
	b = append(b, ' ')
	b = appendNumber(b, took, 5, ' ')
	b = append(b, "ms "...)
	b = appendColumn(b, pick(logUsers), 9)
	b = appendHex(b, luck, 10)
	return append(b, '\n')
}

// appendClock appends the time so many milliseconds after midnight.
func appendClock(b []byte, millis int64) []byte {
	t := uint64(millis)
	b = append(b, "2026-10-31 "...)
	b = append(appendNumber(b, t/3_600_000, 2, '0'), ':')
	b = append(appendNumber(b, t/60_000%60, 2, '0'), ':')
	b = append(appendNumber(b, t/1000%60, 2, '0'), '.')
	return append(appendNumber(b, t%1000, 3, '0'), ' ')
}

// appendColumn appends word and as many spaces as make it width bytes.
func appendColumn(b []byte, word string, width int) []byte {
	b = append(b, word...)
	for range width - len(word) {
		b = append(b, ' ')
	}
	return b
}

// appendNumber appends n after as much padding as makes it width bytes.
func appendNumber(b []byte, n uint64, width int, padding byte) []byte {
	var digits [20]byte
	decimal := strconv.AppendUint(digits[:0], n, 10)
	for range width - len(decimal) {
		b = append(b, padding)
	}
	return append(b, decimal...)
}

func appendHex(b []byte, n uint64, width int) []byte {
	for i := range width {
		b = append(b, "0123456789abcdef"[n>>(4*i)&15])
	}
	return b
}
