package ekuaibaosim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/ekuaibao/ekuaibaosim"
)

func TestTokens(t *testing.T) {
	c := start(t)
	status, _ := c.send(http.MethodPost, c.URL()+"/api/openapi/v1/auth/getAccessToken", object{"appKey": "a", "appSecurity": "b"})
	assert.Equal(t, 403, status)
	listed := func() int {
		status, _ := c.call(http.MethodGet, "/v1.1/docs/getApplyList", "&type=expense&start=0&count=10", nil)
		return status
	}
	assert.Equal(t, 403, listed(), "no token")
	c.SetTokenSettle(time.Hour)
	c.login()
	assert.Equal(t, 403, listed(), "just issued")
	c.SetTokenSettle(0)
	c.login()
	assert.Equal(t, 200, listed())
	c.ExpireTokens()
	assert.Equal(t, 403, listed())
	c.login()
	c.SetClock(3 * time.Hour)
	assert.Equal(t, 403, listed(), "two hours")
}

func TestLocation_Moves(t *testing.T) {
	c := start(t).login()
	where := func() string {
		_, text := c.send(http.MethodGet, c.URL()+"/api/openapi/v2/location?corpId="+ekuaibaosim.CorpID, nil)
		var answer struct{ Value string }
		require.NoError(t, json.Unmarshal(text, &answer))
		return answer.Value
	}
	assert.Equal(t, c.URL()+"/", where())
	c.Move()
	there := where()
	assert.NotEqual(t, c.URL()+"/", there)
	status, _ := c.call(http.MethodGet, "/v1.1/docs/getApplyList", "&type=expense&start=0&count=10", nil)
	assert.Equal(t, 403, status)
	status, _ = c.send(http.MethodGet, there+"api/openapi/v1.1/docs/getApplyList?type=expense&start=0&count=10&accessToken="+url.QueryEscape(c.token), nil)
	assert.Equal(t, 200, status)
}

// listed are the codes that a list has, and the count that it tells.
func (c *client) listed(query string) (codes []string, count int) {
	c.t.Helper()
	status, text := c.call(http.MethodGet, "/v1.1/docs/getApplyList", "&type=expense"+query, nil)
	require.Equal(c.t, 200, status, "%s", text)
	var answer struct {
		Count int
		Items []struct{ Form struct{ Code string } }
	}
	require.NoError(c.t, json.Unmarshal(text, &answer), "%s", text)
	for _, d := range answer.Items {
		codes = append(codes, d.Form.Code)
	}
	return codes, answer.Count
}

func TestList(t *testing.T) {
	c := start(t).login()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 2, 0, 0, 0, time.UTC) }
	for i, state := range []string{"paid", "PROCESSING", "approving", "approving"} {
		c.AddDocument(ekuaibaosim.Document{
			ID: fmt.Sprint("flow", i), Code: fmt.Sprint("B", i), State: state, Created: day(i + 1), Updated: day(20 - i), Template: fmt.Sprint("T", i%2),
		})
	}
	c.AddDocument(ekuaibaosim.Document{Type: "loan", Code: "L"})
	c.DeleteDocument("flow3")

	for query, want := range map[string][]string{
		"&start=0&count=9&active=true":                 {"B2", "B1", "B0"},
		"&start=0&count=9":                             {"B3", "B2", "B1", "B0"},
		"&start=0&count=9&active=":                     {"B3"},
		"&start=1&count=1&active=true":                 {"B1"},
		"&start=0&count=9&active=true&orderByType=asc": {"B0", "B1", "B2"},
		"&start=0&count=9&active=true&orderBy=updateTime&startDate=2026-03-19+10%3A00%3A00&endDate=2026-03-20+10%3A00%3A00": {"B0", "B1"},
		"&start=0&count=9&active=true&state=paying":                      {"B1"},
		"&start=0&count=9&active=true&state=PROCESSING":                  nil,
		"&start=0&count=9&active=true&specificationId=T0":                {"B2", "B0"},
		"&start=0&count=9&active=true&startDate=2026-03-02+10%3A00%3A00": {"B2", "B1"},
	} {
		codes, _ := c.listed(query)
		assert.Equal(t, want, codes, query)
	}
	_, count := c.listed("&start=0&count=1&active=true")
	assert.Equal(t, 3, count)

	status, text := c.call(http.MethodGet, "/v1.1/docs/getApplyList", "&type=nothing&start=0&count=9", nil)
	assert.Equal(t, 400, status)
	assert.Contains(t, string(text), "参数type无法识别")
	_, text = c.call(http.MethodGet, "/v1.1/docs/getApplyList", "&type=expense&start=0&count=101", nil)
	assert.False(t, json.Valid(text))
	for id, words := range map[string]string{"flow3": "单据已删除", "flow9": "单据不存在"} {
		status, text = c.call(http.MethodGet, "/v1.1/flowDetails", "&flowId="+id, nil)
		assert.Equal(t, 412, status)
		assert.Contains(t, string(text), words)
	}
}

func TestList_ShiftsWhileDocumentsArrive(t *testing.T) {
	c := start(t).login()
	c.AddDocument(ekuaibaosim.Document{Code: "old", Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	c.AddDocument(ekuaibaosim.Document{Code: "older", Created: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)})
	first, _ := c.listed("&start=0&count=1&active=true")
	c.AddDocument(ekuaibaosim.Document{Code: "new", Created: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)})
	second, _ := c.listed("&start=1&count=1&active=true")
	assert.Equal(t, first, second, "the page shifted")
	c.Arrive(ekuaibaosim.Document{Code: "newer", Created: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)})
	codes, _ := c.listed("&start=0&count=2&active=true")
	assert.Equal(t, []string{"newer", "new"}, codes)
}

func TestFlows(t *testing.T) {
	c := start(t).login()
	file := func(name string) ekuaibaosim.File {
		return ekuaibaosim.File{Name: name, Content: linksim.Bytes([]byte(name))}
	}
	slip := file("slip.pdf")
	d := c.AddDocument(ekuaibaosim.Document{
		Attachments: []ekuaibaosim.File{file("合同.pdf")}, Approvals: []ekuaibaosim.File{file("comment.png")}, Receipts: []ekuaibaosim.File{slip},
		Lines: []ekuaibaosim.Line{{ID: "line", Attachments: []ekuaibaosim.File{file("menu.jpg")}, Invoices: []ekuaibaosim.Invoice{
			{ID: "invoice", Code: "code", Number: "number", File: file("invoice.jpg"), Crop: true},
		}}},
	})
	status, text := c.call(http.MethodPost, "/v1/flowDetails/attachment", "", object{"flowIds": []string{d.ID}})
	require.Equal(t, 200, status)
	var answer struct {
		Items []struct {
			AttachmentList []struct {
				Type, FreeID                             string
				AttachmentURLs, InvoiceURLs, ReceiptURLs []struct {
					Key, URL, FileID, FileName, InvoiceNumber, InvoiceCode string
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &answer))
	parts := answer.Items[0].AttachmentList
	require.Len(t, parts, 4)
	assert.Equal(t, "line", parts[1].FreeID)
	invoice, receipt := parts[1].InvoiceURLs[0], parts[3].ReceiptURLs[0]
	assert.Equal(t, "code", invoice.InvoiceNumber, "swapped")
	assert.Equal(t, "number", invoice.InvoiceCode)
	assert.Empty(t, receipt.FileID)
	assert.NotEmpty(t, receipt.Key)
	_, text = c.get(http.MethodGet, receipt.URL)
	assert.Equal(t, "slip.pdf", string(text))

	status, _ = c.call(http.MethodPost, "/v1/flowDetails/attachment", "", object{"flowIds": []string{d.ID, "nobody"}})
	assert.Equal(t, 400, status, "one bad id, and all is refused")
	status, text = c.call(http.MethodGet, "/v1/flowDetails/getReceipt/$"+d.ID, "", nil)
	assert.Equal(t, 200, status)
	assert.Contains(t, string(text), "receiptUrls")
	status, _ = c.call(http.MethodGet, "/v1/flowDetails/getReceipt/"+d.ID, "", nil)
	assert.Equal(t, 404, status, "the $ is part of the path")
	status, _ = c.call(http.MethodGet, "/v1/flowDetails/getReceipt/%24"+d.ID, "", nil)
	assert.Equal(t, 404, status, "and sent as it is")

	_, text = c.call(http.MethodPost, "/v2/extension/flow/INVOICE/search", "", object{"type": "id", "codeOrIds": []string{d.ID}})
	assert.Contains(t, string(text), `"invoiceId":"invoice"`)
	_, text = c.call(http.MethodPost, "/v2/extension/INVOICE/url", "", object{"invoiceId": []string{"invoice"}})
	var invoices struct{ Items []struct{ URL string } }
	require.NoError(t, json.Unmarshal(text, &invoices))
	reply, body := c.get(http.MethodGet, invoices.Items[0].URL, "Range", "bytes=0-1")
	assert.Equal(t, 200, reply.StatusCode, "generated, and without ranges")
	assert.EqualValues(t, -1, reply.ContentLength)
	assert.Equal(t, "invoice.jpg", string(body))
}

func TestInject(t *testing.T) {
	c := start(t).login()
	c.Inject(ekuaibaosim.DocumentCall, ekuaibaosim.Fault{Status: 502, Body: ekuaibaosim.HTMLPage, Type: "text/html", Skip: 1, Times: 1})
	var got []int
	for range 3 {
		status, _ := c.call(http.MethodGet, "/v1.1/flowDetails", "&flowId=x", nil)
		got = append(got, status)
	}
	assert.Equal(t, []int{412, 502, 412}, got)
	c.Deny(ekuaibaosim.DocumentCall)
	status, text := c.call(http.MethodGet, "/v1.1/flowDetails", "&flowId=x", nil)
	assert.Equal(t, 403, status)
	assert.Contains(t, string(text), "不允许调用此接口")
}
