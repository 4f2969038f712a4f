package demo_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPictures(t *testing.T) {
	eachFile(t, 5, func(t *testing.T, b []byte) {
		img, _, err := image.Decode(bytes.NewReader(b))
		require.NoError(t, err)
		assert.Equal(t, image.Rect(0, 0, 1200, 800), img.Bounds())
		colors := make(map[any]bool)
		for i := range 800 {
			colors[img.At(i, i)] = true
		}
		assert.Greater(t, len(colors), 8, "colours on the diagonal")
	}, ".png", ".jpg")
}

var (
	xrefEntry  = regexp.MustCompile(`(?m)^(\d{10}) (\d{5}) n $`)
	startXref  = regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`)
	streamPart = regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*?)\nendstream`)
)

func TestPDF(t *testing.T) {
	eachFile(t, 3, func(t *testing.T, b []byte) {
		assert.True(t, bytes.HasPrefix(b, []byte("%PDF-1.4\n")))
		start := startXref.FindSubmatch(b)
		require.NotNil(t, start)
		offset, err := strconv.Atoi(string(start[1]))
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(b[offset:], []byte("xref\n0 ")))
		entries := xrefEntry.FindAllSubmatch(b[offset:], -1)
		assert.Equal(t, bytes.Count(b, []byte(" 0 obj\n")), len(entries))
		for i, entry := range entries {
			at, err := strconv.Atoi(string(entry[1]))
			require.NoError(t, err)
			assert.True(t, bytes.HasPrefix(b[at:], fmt.Appendf(nil, "%d 0 obj\n", i+1)), "object %d", i+1)
		}
		streams := streamPart.FindAllSubmatch(b, -1)
		assert.Len(t, streams, 2, "pages")
		for _, s := range streams {
			assert.Equal(t, string(s[1]), strconv.Itoa(len(s[2])))
		}
	}, ".pdf")
}

// unzipped reads all members, which checks their CRC.
func unzipped(t testing.TB, b []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	members := make(map[string][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err, f.Name)
		require.NoError(t, r.Close())
		assert.NotContains(t, members, f.Name)
		members[f.Name] = body
	}
	return members
}

func TestZip(t *testing.T) {
	eachFile(t, 1, func(t *testing.T, b []byte) {
		members := unzipped(t, b)
		assert.Len(t, members, 4)
		_, kind, err := image.Decode(bytes.NewReader(members["合同附件/印章.png"]))
		require.NoError(t, err)
		assert.Equal(t, "png", kind)
	}, ".zip")
}

func TestOffice_PartsAreWellFormedAndFound(t *testing.T) {
	eachFile(t, 3, func(t *testing.T, b []byte) {
		members := unzipped(t, b)
		types := string(members["[Content_Types].xml"])
		require.NotEmpty(t, types)
		for name, body := range members {
			checkXML(t, name, body)
			if strings.HasSuffix(name, ".rels") {
				checkRelations(t, name, members)
			} else if name != "[Content_Types].xml" {
				assert.Contains(t, types, `PartName="/`+name+`"`)
			}
		}
	}, ".docx", ".xlsx", ".pptx")
}

func checkXML(t testing.TB, name string, body []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, name)
	}
}

func checkRelations(t testing.TB, name string, members map[string][]byte) {
	t.Helper()
	var list struct {
		Relationship []struct {
			Target string `xml:",attr"`
		}
	}
	require.NoError(t, xml.Unmarshal(members[name], &list), name)
	assert.NotEmpty(t, list.Relationship, name)
	folder := path.Dir(path.Dir(name))
	for _, r := range list.Relationship {
		assert.Contains(t, members, path.Join(folder, r.Target), name)
	}
}

func TestSheet_FormulasComeWithTheSumOfTheTable(t *testing.T) {
	members := unzipped(t, named(t, "报销明细.xlsx"))
	rows := expenseRows(t)
	total := rows[len(rows)-1][6]
	for _, sheet := range []string{"xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"} {
		assert.Regexp(t, `<f>SUM\([^)]*\)</f><v>`+regexp.QuoteMeta(total)+`</v>`, string(members[sheet]), sheet)
	}
}

// expenseRows is the table of expenses without its header.
func expenseRows(t testing.TB) [][]string {
	t.Helper()
	b, marked := bytes.CutPrefix(named(t, "报销明细.csv"), []byte("\ufeff"))
	assert.True(t, marked)
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 3)
	return rows[1:]
}

func TestCSV_Sum(t *testing.T) {
	rows := expenseRows(t)
	var sum float64
	for _, row := range rows[:len(rows)-1] {
		amount, err := strconv.ParseFloat(row[6], 64)
		require.NoError(t, err)
		sum += amount
	}
	assert.Equal(t, rows[len(rows)-1][6], fmt.Sprintf("%.2f", sum))
}

func TestTarGz(t *testing.T) {
	eachFile(t, 1, func(t *testing.T, b []byte) {
		compressed, err := gzip.NewReader(bytes.NewReader(b))
		require.NoError(t, err)
		files := 0
		for r := tar.NewReader(compressed); ; files++ {
			header, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, r)
			require.NoError(t, err)
			assert.Positive(t, n, header.Name)
		}
		assert.Equal(t, 3, files)
		require.NoError(t, compressed.Close())
	}, ".gz")
}

func TestMail(t *testing.T) {
	m, err := mail.ReadMessage(bytes.NewReader(named(t, ".eml")))
	require.NoError(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	assert.Equal(t, "Re: 十月报销", subject)
	_, err = m.Header.Date()
	require.NoError(t, err)
	_, err = m.Header.AddressList("From")
	require.NoError(t, err)

	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	parts := multipart.NewReader(m.Body, params["boundary"])
	letter, err := parts.NextPart()
	require.NoError(t, err)
	text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, letter))
	require.NoError(t, err)
	assert.Contains(t, string(text), "报销")

	attachment, err := parts.NextPart()
	require.NoError(t, err)
	assert.Equal(t, "报销明细.csv", attachment.FileName())
	table, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, attachment))
	require.NoError(t, err)
	assert.Equal(t, named(t, "报销明细.csv"), table)
	_, err = parts.NextPart()
	require.ErrorIs(t, err, io.EOF)
}

func TestJSON(t *testing.T) {
	eachFile(t, 1, func(t *testing.T, b []byte) {
		var v map[string]any
		require.NoError(t, json.Unmarshal(b, &v))
		assert.Equal(t, true, v["complete"])
	}, ".json")
}

func TestSVG(t *testing.T) {
	eachFile(t, 1, func(t *testing.T, b []byte) {
		checkXML(t, "chart", b)
		assert.Equal(t, 1+5, bytes.Count(b, []byte("<rect ")), "paper and bars")
		assert.NotContains(t, string(b), "%!")
	}, ".svg")
}

func TestTexts_AreUTF8(t *testing.T) {
	eachFile(t, 20, func(t *testing.T, b []byte) {
		assert.True(t, utf8.Valid(b))
	}, ".txt", ".md", ".html")
}
