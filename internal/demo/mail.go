package demo

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// withheld are the files that a mailbox lists and does not hand out.
var withheld = map[string]Withheld{
	deliveryNote(5): Forbidden,
	deliveryNote(9): Missing,
}

func mailItems() []item {
	return slices.Concat([]item{
		{"2026-10-09 秋季团建通知/秋季团建日程.html", at(time.October, 9, 2, 15), text(outingPage)},
		{"2026-10-09 秋季团建通知/报名须知.txt", at(time.October, 9, 2, 16), text(outingNotice)},
		{"2026-10-13 Re 十月报销/Re 十月报销.eml", at(time.October, 13, 6, 42), made(expenseMail)},
	}, meterItems(), deliveryItems(), []item{
		{"2026-10-31 Gateway incident/gateway-2026-10-31.log", at(time.October, 31, 16, 0), func() Content { return gatewayLog{lines: 512 << 10} }},
		{"2026-10-31 Gateway incident/handover.tar.gz", at(time.October, 31, 17, 5), made(handoverArchive)},
		{"2026-10-31 Gateway incident/answer.txt", at(time.October, 31, 17, 6), text("y")},
		{"2026-10-31 Gateway incident/open questions.txt", at(time.October, 31, 17, 7), text("")},
	})
}

// meterItems are the attachments of one message with many of them.
func meterItems() []item {
	var items []item
	for room := range 45 {
		path := fmt.Sprintf("2026-10-16 Meter readings/room %d%02d.tsv", 1+room/15, 1+room%15)
		items = append(items, item{path, at(time.October, 16, 1, room), made(func() []byte { return meterReadings(room) })})
	}
	return items
}

// meterReadings is what the meter of a room showed every hour of a day.
func meterReadings(room int) []byte {
	var out bytes.Buffer
	out.WriteString("hour\tkWh\n")
	reading := 12_000 + 731*room // in tenths
	for hour := range 24 {
		fmt.Fprintf(&out, "%02d:00\t%d.%d\n", hour, reading/10, reading%10)
		reading += 2 + (hour*hour+7*room)%9
	}
	return out.Bytes()
}

func deliveryItems() []item {
	var items []item
	for n := 1; n <= 12; n++ {
		note := fmt.Sprintf("no\titem\tpieces\n%d\tmonitor arm\t%d\n", n, 1+n%4)
		items = append(items, item{deliveryNote(n), at(time.October, 20, 8, n), text(note)})
	}
	return items
}

func deliveryNote(n int) string {
	return fmt.Sprintf("2026-10-20 Delivery notes/DN-2026-10%02d.tsv", n)
}
