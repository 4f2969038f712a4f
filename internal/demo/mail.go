package demo

import (
	"bytes"
	"fmt"
	"time"
)

// Message is a message of the mailbox.
type Message struct {
	Subject string
	Date    time.Time
	// Files are the attachments, with the paths that they have in the set.
	Files []File
}

// Mailbox makes the messages whose attachments are the set Mail, the oldest
// first.
func Mailbox() []Message {
	var all []Message
	for _, l := range letters() {
		all = append(all, Message{Subject: l.subject, Date: l.date, Files: build(l.items())})
	}
	return all
}

// letter is a message to be made.
type letter struct {
	date     time.Time
	subject  string
	attached []attachment
}

type attachment struct {
	name string
	make func() Content
}

// items are the attachments where a mailbox shows them: by the clock of Hangzhou,
// all as old as the message.
func (l letter) items() []item {
	dir := "Inbox/" + l.date.In(time.FixedZone("", 8*60*60)).Format("2006-01-02 1504 ") + l.subject + "/"
	items := make([]item, len(l.attached))
	for i, a := range l.attached {
		items[i] = item{dir + a.name, l.date, a.make}
	}
	return items
}

func mailItems() []item {
	var items []item
	for _, l := range letters() {
		items = append(items, l.items()...)
	}
	return items
}

func letters() []letter {
	return []letter{
		{at(time.October, 9, 2, 16), "秋季团建通知", []attachment{
			{"秋季团建日程.html", text(outingPage)},
			{"报名须知.txt", text(outingNotice)},
		}},
		{at(time.October, 13, 6, 42), "Re 十月报销", []attachment{{"Re 十月报销.eml", made(expenseMail)}}},
		{at(time.October, 16, 1, 45), "Meter readings", meterFiles()},
		{at(time.October, 20, 8, 12), "Delivery notes", deliveryNotes()},
		{at(time.October, 31, 17, 7), "Gateway incident", []attachment{
			{"gateway-2026-10-31.log", func() Content { return gatewayLog{lines: 512 << 10} }},
			{"handover.tar.gz", made(handoverArchive)},
			{"answer.txt", text("y")},
			{"open questions.txt", text("")},
		}},
	}
}

// meterFiles are many, for one message.
func meterFiles() []attachment {
	var files []attachment
	for room := range 45 {
		name := fmt.Sprintf("room %d%02d.tsv", 1+room/15, 1+room%15)
		files = append(files, attachment{name, made(func() []byte { return meterReadings(room) })})
	}
	return files
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

// withheldNote is listed by the mailbox and not handed out.
const withheldNote = "DN-2026-1005.tsv"

func deliveryNotes() []attachment {
	var files []attachment
	for n := 1; n <= 12; n++ {
		note := fmt.Sprintf("no\titem\tpieces\n%d\tmonitor arm\t%d\n", n, 1+n%4)
		files = append(files, attachment{fmt.Sprintf("DN-2026-10%02d.tsv", n), text(note)})
	}
	return files
}
