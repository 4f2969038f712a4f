package ekuaibaosim

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// china is the clock of the dates in queries.
var china = time.FixedZone("CST", 8*60*60)

// lookBack is how far a list by updates goes without dates.
const lookBack = 365 * 24 * time.Hour

func (s *Server) list(r *http.Request, _ []byte) reply {
	query := r.URL.Query()
	if !s.company.types[query.Get("type")] {
		return refusal(http.StatusBadRequest, "参数type无法识别")
	}
	start, err := strconv.Atoi(query.Get("start"))
	count, err2 := strconv.Atoi(query.Get("count"))
	if err != nil || err2 != nil || start < 0 || count < 1 {
		return refusal(http.StatusBadRequest, "参数start或count错误")
	}
	if count > most {
		return tooMany(count)
	}
	if count > 1 && len(s.company.arrivals) > 0 {
		s.add(s.company.arrivals[0])
		s.company.arrivals = s.company.arrivals[1:]
	}
	pick, err := s.selection(query)
	if err != nil {
		return refusal(http.StatusBadRequest, "日期格式错误")
	}
	all := pick.from(s.company.documents)
	items := []any{}
	for _, d := range all[min(start, len(all)):min(start+count, len(all))] {
		items = append(items, d.json())
	}
	answer := ok(map[string]any{"count": len(all), "items": items})
	answer.items = count
	return answer
}

// selection is what a query asks for.
type selection struct {
	kind, owner, active string
	states, templates   []string
	activeAsked         bool
	by                  func(*document) time.Time
	from0, until        time.Time // zero for open
	ascending           bool
}

// selection reads a query. s.mu is held.
func (s *Server) selection(query url.Values) (selection, error) {
	p := selection{
		kind: query.Get("type"), owner: query.Get("uid"), active: query.Get("active"), activeAsked: query.Has("active"),
		states: words(query.Get("state")), templates: words(query.Get("specificationId")),
		ascending: query.Get("orderByType") == "asc",
	}
	var err error
	for _, bound := range []struct {
		name string
		to   *time.Time
	}{{"startDate", &p.from0}, {"endDate", &p.until}} {
		if text := query.Get(bound.name); text != "" && err == nil {
			*bound.to, err = time.ParseInLocation(time.DateTime, text, china)
		}
	}
	order := query.Get("orderBy")
	if order == "payDate" && p.from0.IsZero() && p.until.IsZero() {
		order = "" // ignored without a date
	}
	if order == "updateTime" && p.from0.IsZero() && p.until.IsZero() {
		p.from0 = s.now().Add(-lookBack)
	}
	p.by = map[string]func(*document) time.Time{
		"updateTime": func(d *document) time.Time { return d.Updated },
		"submitDate": func(d *document) time.Time { return d.Submitted },
		"payDate":    func(d *document) time.Time { return d.Paid },
	}[order]
	if p.by == nil {
		p.by = func(d *document) time.Time { return d.Created }
	}
	return p, err
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' })
}

// from returns the documents in the order that is asked for.
func (p selection) from(documents []*document) []*document {
	var found []*document
	for _, d := range documents {
		if p.has(d) {
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b *document) int {
		if p.ascending {
			return cmp.Or(p.by(a).Compare(p.by(b)), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(p.by(b).Compare(p.by(a)), cmp.Compare(b.ID, a.ID))
	})
	return found
}

func (p selection) has(d *document) bool {
	at := p.by(d)
	switch {
	case d.Type != p.kind, p.owner != "" && d.Owner != p.owner:
		return false
	case p.activeAsked && (p.active == "true") == d.deleted:
		return false // anything but true asks for what was deleted
	case !p.from0.IsZero() && at.Before(p.from0), !p.until.IsZero() && !at.Before(p.until.Add(time.Second)):
		return false // dates are of whole seconds
	case len(p.templates) > 0 && !slices.Contains(p.templates, d.Template):
		return false
	}
	return len(p.states) == 0 || slices.ContainsFunc(p.states, d.isIn)
}

// isIn reports whether a list of documents in a state has this one: those of
// PROCESSING come under paying only.
func (d *document) isIn(state string) bool {
	return state != "PROCESSING" && state == d.State || state == "paying" && d.State == "PROCESSING"
}

func (s *Server) documentByID(r *http.Request, _ []byte) reply {
	return s.one(s.company.byID[r.URL.Query().Get("flowId")])
}

func (s *Server) documentByCode(r *http.Request, _ []byte) reply {
	for _, d := range s.company.documents {
		if d.Code == r.URL.Query().Get("code") {
			return s.one(d)
		}
	}
	return s.one(nil)
}

func (s *Server) one(d *document) reply {
	switch {
	case d == nil:
		return refusal(http.StatusPreconditionFailed, "单据不存在")
	case d.deleted:
		return refusal(http.StatusPreconditionFailed, "单据已删除")
	}
	return ok(map[string]any{"value": d.json()})
}
