package demo

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strconv"
)

// expense is one line of the claim that the table, the sheet and the mail show.
type expense struct {
	day      int // of October 2026
	who      string
	kind     string
	purpose  string
	quantity int
	price    fen
}

func (e expense) amount() fen { return e.price * fen(e.quantity) }

var expenses = []expense{
	{8, "陈语", "交通", "高铁 杭州东—上海虹桥 往返", 2, 7_300},
	{8, "陈语", "住宿", "上海 两晚", 2, 46_800},
	{9, "李微", "餐饮", "客户午餐", 4, 8_650},
	{9, "李微", "交通", "网约车 虹桥—漕河泾", 1, 5_420},
	{10, "张明", "办公", "27 寸显示器支架", 3, 19_900},
	{10, "张明", "办公", "白板笔（盒）", 10, 1_250},
	{11, "林涛", "团建", "龙井村采茶体验", 16, 12_800},
	{12, "林涛", "餐饮", "团建晚餐", 16, 9_880},
	{12, "苏菲", "快递", "合同原件寄送", 5, 2_300},
}

// expenseKinds is the kinds of expense, in the order they are summed up.
var expenseKinds = []string{"交通", "住宿", "餐饮", "办公", "团建", "快递"}

func expenseTotal() fen {
	var total fen
	for _, e := range expenses {
		total += e.amount()
	}
	return total
}

var expenseHeader = []string{"日期", "报销人", "类别", "事由", "数量", "单价（元）", "金额（元）"}

// expenseCSV begins with a byte order mark, without which spreadsheets take
// Chinese for something else.
func expenseCSV() []byte {
	rows := [][]string{expenseHeader}
	for _, e := range expenses {
		rows = append(rows, []string{
			fmt.Sprintf("2026-10-%02d", e.day), e.who, e.kind, e.purpose,
			strconv.Itoa(e.quantity), e.price.plain(), e.amount().plain(),
		})
	}
	rows = append(rows, []string{"合计", "", "", "", "", "", expenseTotal().plain()})
	out := bytes.NewBufferString("\ufeff")
	must(csv.NewWriter(out).WriteAll(rows))
	return out.Bytes()
}

// expenseMail is a message with the claim attached.
func expenseMail() []byte {
	var out bytes.Buffer
	encoded := func(s string) string { return mime.BEncoding.Encode("utf-8", s) }
	parts := multipart.NewWriter(&out)
	must(parts.SetBoundary("attachfs-demo-october"))
	for _, line := range []string{
		"From: " + encoded("陈语") + " <chen.yu@qingfeng.example>",
		"To: " + encoded("财务") + " <finance@qingfeng.example>",
		"Subject: " + encoded("Re: 十月报销"),
		"Date: Tue, 13 Oct 2026 14:42:00 +0800",
		"Message-ID: <20261013.1442@qingfeng.example>",
		"MIME-Version: 1.0",
		"Content-Type: multipart/mixed; boundary=" + parts.Boundary(),
		"",
	} {
		out.WriteString(line + "\r\n")
	}
	addPart(parts, "text/plain; charset=utf-8", "inline", expenseLetter)
	attachment := mime.FormatMediaType("attachment", map[string]string{"filename": "报销明细.csv"})
	addPart(parts, "text/csv; charset=utf-8", attachment, string(expenseCSV()))
	must(parts.Close())
	return out.Bytes()
}

// addPart writes body in base64, in lines as long as mail allows.
func addPart(parts *multipart.Writer, kind, disposition, body string) {
	w, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {kind},
		"Content-Disposition":       {disposition},
		"Content-Transfer-Encoding": {"base64"},
	})
	must(err)
	for rest := base64.StdEncoding.EncodeToString([]byte(body)); rest != ""; {
		line := rest[:min(76, len(rest))]
		rest = rest[len(line):]
		_, err := fmt.Fprintf(w, "%s\r\n", line)
		must(err)
	}
}
