package ekuaibaosim

import (
	"encoding/json"
	"net/http"
	"strings"
)

// attachments tells all files of some documents.
func (s *Server) attachments(_ *http.Request, body []byte) reply {
	var asked struct{ FlowIDs []string }
	if json.Unmarshal(body, &asked) != nil {
		return refusal(http.StatusBadRequest, "参数错误")
	}
	if len(asked.FlowIDs) > most {
		return tooMany(len(asked.FlowIDs))
	}
	items := []any{}
	for _, id := range asked.FlowIDs {
		d := s.company.byID[id]
		if d == nil || d.deleted {
			return refusal(http.StatusBadRequest, "单据不存在")
		}
		// The order is not that of the question.
		items = append([]any{map[string]any{
			"flowId": d.ID, "flowCode": d.Code, "fromType": d.Type, "attachmentList": s.parts(d),
		}}, items...)
	}
	answer := ok(map[string]any{"items": items})
	answer.items = len(asked.FlowIDs)
	return answer
}

// parts are the files of one document, in their groups. s.mu is held.
func (s *Server) parts(d *document) []any {
	body := s.locatedAll(d.Attachments)
	for _, files := range d.Custom {
		body = append(body, s.locatedAll(files)...)
	}
	parts := []any{map[string]any{"type": "flow.body", "attachmentUrls": body}}
	for _, line := range d.Lines {
		invoices := s.locatedAll(line.Photos)
		for i := range line.Invoices {
			invoice := &line.Invoices[i]
			told := s.located(&invoice.File)
			// The names are swapped, as they are in the service.
			told["invoiceNumber"], told["invoiceCode"] = orNull(invoice.Code), orNull(invoice.Number)
			invoices = append(invoices, told)
		}
		parts = append(parts, map[string]any{
			"type": "flow.free", "freeId": line.ID, "attachmentUrls": s.locatedAll(line.Attachments), "invoiceUrls": invoices,
		})
	}
	if len(d.Approvals) > 0 {
		parts = append(parts, map[string]any{"type": "flow.approving", "attachmentUrls": s.locatedAll(d.Approvals)})
	}
	if len(d.Receipts) > 0 {
		slips := []any{}
		for i := range d.Receipts {
			f := &d.Receipts[i]
			slips = append(slips, map[string]any{"key": f.Key, "url": s.located(f)["url"]})
		}
		parts = append(parts, map[string]any{"type": "flow.receipt", "receiptUrls": slips})
	}
	return parts
}

// orNull is what some kinds of tickets have instead of a number.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// receipts has its "$" in the path, as it is.
func (s *Server) receipts(r *http.Request, _ []byte) reply {
	_, id, _ := strings.Cut(r.URL.Path, "$")
	d := s.company.byID[id]
	if d == nil || d.deleted {
		return refusal(http.StatusPreconditionFailed, "单据不存在")
	}
	links := []any{}
	for i := range d.Receipts {
		links = append(links, s.issue(&d.Receipts[i], terms{life: s.links.terms.receipt()}).url)
	}
	return ok(map[string]any{"value": map[string]any{"flowId": d.ID, "code": d.Code, "receiptUrls": links}})
}

func (s *Server) searchInvoices(_ *http.Request, body []byte) reply {
	var asked struct {
		Type      string
		CodeOrIDs []string
	}
	if json.Unmarshal(body, &asked) != nil || asked.Type != "id" && asked.Type != "code" {
		return refusal(http.StatusBadRequest, "参数type无法识别")
	}
	if len(asked.CodeOrIDs) > most {
		return tooMany(len(asked.CodeOrIDs))
	}
	found := make(map[string]any)
	for _, d := range s.company.documents {
		name := d.ID
		if asked.Type == "code" {
			name = d.Code
		}
		for _, wanted := range asked.CodeOrIDs {
			if ids := d.invoiceIDs(); wanted == name && len(ids) > 0 {
				found[name] = ids
			}
		}
	}
	answer := ok(map[string]any{"value": found})
	answer.items = len(asked.CodeOrIDs)
	return answer
}

func (d *document) invoiceIDs() []any {
	var ids []any
	for _, line := range d.Lines {
		for _, invoice := range line.Invoices {
			ids = append(ids, map[string]any{"invoiceId": invoice.ID, "invoiceItemId": []any{}, "invoiceType": "system_发票主体"})
		}
	}
	return ids
}

func (s *Server) invoiceLinks(_ *http.Request, body []byte) reply {
	var asked struct{ InvoiceID []string }
	if json.Unmarshal(body, &asked) != nil {
		return refusal(http.StatusBadRequest, "参数错误")
	}
	if len(asked.InvoiceID) > most {
		return tooMany(len(asked.InvoiceID))
	}
	items := []any{}
	for _, id := range asked.InvoiceID {
		invoice := s.company.invoices[id]
		if invoice == nil {
			continue
		}
		life := s.links.terms.listed()
		items = append([]any{map[string]any{
			"id": id, "url": s.issue(&invoice.File, terms{life: life, crop: invoice.Crop}).url,
			"thumbUrl": s.issue(&invoice.File, terms{life: life, thumb: true}).url,
			"source":   "UPLOAD", "fileName": invoice.File.Name, "region": []any{},
		}}, items...)
	}
	answer := ok(map[string]any{"items": items})
	answer.items = len(asked.InvoiceID)
	return answer
}
