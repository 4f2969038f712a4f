package ekuaibaosim

import "maps"

// json is the document as lists and details tell it.
func (d *document) json() map[string]any {
	form := map[string]any{
		"code": d.Code, "title": d.Title, "submitterId": d.Owner, "submitDate": d.Submitted.UnixMilli(),
		"specificationId": d.Template + ":9f2c", "attachments": attachments(d.Attachments),
		// A city has a key, too, but as text.
		"u_城市": `[{"key":"416","label":"杭州"}]`,
	}
	if !d.Paid.IsZero() {
		form["payDate"] = d.Paid.UnixMilli()
	}
	for field, files := range d.Custom {
		form[field] = attachments(files)
	}
	if len(d.Lines) > 0 {
		form["details"] = d.lines()
	}
	logs := []any{map[string]any{
		"action": "freeflow.submit", "time": d.Submitted.UnixMilli(), "operatorId": d.Owner, "attributes": map[string]any{},
	}}
	if len(d.Approvals) > 0 {
		logs = append(logs, map[string]any{
			"action": "freeflow.comment", "time": d.Submitted.UnixMilli(), "operatorId": d.Owner,
			"attributes": map[string]any{"comment": "请看附件"}, "attachments": attachments(d.Approvals),
		})
	}
	return map[string]any{
		"id": d.ID, "formType": d.Type, "state": d.State, "active": !d.deleted, "corporationId": CorpID, "ownerId": d.Owner,
		"createTime": d.Created.UnixMilli(), "updateTime": d.Updated.UnixMilli(), "form": form, "logs": logs,
	}
}

func (d *document) lines() []any {
	lines := []any{}
	for _, line := range d.Lines {
		ids := []any{}
		for _, invoice := range line.Invoices {
			ids = append(ids, map[string]any{"invoiceId": invoice.ID, "itemIds": []any{}})
		}
		lines = append(lines, map[string]any{"feeTypeId": "ID_FEE", "feeTypeForm": map[string]any{
			"detailId": line.ID, "attachments": attachments(line.Attachments),
			"invoiceForm": map[string]any{"type": "exist", "attachments": attachments(line.Photos), "invoices": ids},
		}})
	}
	return lines
}

// attachments are files as documents tell them: without a size, a time, a type.
func attachments(files []File) []any {
	list := []any{}
	for _, f := range files {
		list = append(list, map[string]any{"key": f.Key, "fileId": f.ID, "fileName": f.Name})
	}
	return list
}

// located is a file with a link, as the call for the files of documents tells
// it. s.mu is held.
func (s *Server) located(f *File) map[string]any {
	told := map[string]any{"url": s.issue(f, terms{life: s.links.terms.listed()}).url}
	if !f.Bare {
		maps.Copy(told, map[string]any{"key": f.Key, "fileId": f.ID, "fileName": f.Name})
	}
	return told
}

func (s *Server) locatedAll(files []File) []any {
	list := []any{}
	for i := range files {
		list = append(list, s.located(&files[i]))
	}
	return list
}
