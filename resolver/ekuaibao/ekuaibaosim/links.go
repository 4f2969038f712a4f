package ekuaibaosim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Lives of links as the pages promise them.
const (
	maxExpiration = 1800 * time.Second
	listedLife    = time.Hour
	receiptLife   = 2 * time.Hour
	driveWindow   = 15 * time.Minute
)

// LinkTerms are the conditions of the links that are issued. The zero value is
// what the pages promise.
type LinkTerms struct {
	// Life is the longest life of any link, for tests that cannot wait. The ends
	// in addresses, and the dates of the drive, fit it.
	Life time.Duration
	// Early is how much sooner than they tell links die.
	Early time.Duration
	// ISODate makes the drive sign with x-oss-date as 20260528T093716Z.
	ISODate bool
}

func (t LinkTerms) life(promised time.Duration) time.Duration {
	if t.Life > 0 {
		return min(t.Life, promised)
	}
	return promised
}

func (t LinkTerms) listed() time.Duration  { return t.life(listedLife) }
func (t LinkTerms) receipt() time.Duration { return t.life(receiptLife) }

// links is the state of links. It is guarded by Server.mu.
type links struct {
	terms   LinkTerms
	conduct map[Store]Conduct
	issued  []*link
	byURI   map[string]*link // by host and raw address
	totals  map[Store]LinkCounts
	stalls  map[string]*stall // by file id
	sums    map[*File]sumOf
}

func newLinks() links {
	return links{
		conduct: make(map[Store]Conduct), byURI: make(map[string]*link),
		totals: make(map[Store]LinkCounts), stalls: make(map[string]*stall), sums: make(map[*File]sumOf),
	}
}

// SetLinkTerms changes the conditions of the links issued from now on.
func (s *Server) SetLinkTerms(t LinkTerms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.terms = t
}

// ExpireLinks kills all links issued so far.
func (s *Server) ExpireLinks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links.issued {
		l.dies = time.Time{}
	}
}

// linkItem is what the call for links is asked for.
type linkItem struct {
	ID, Key    string
	Expiration *int // required
}

func (i linkItem) onDrive() bool { return strings.HasPrefix(i.Key, "DP:") }

// downloadURLs answers with a bare list, in another order, and without what it
// does not know.
func (s *Server) downloadURLs(_ *http.Request, body []byte) reply {
	var asked []linkItem
	if json.Unmarshal(body, &asked) != nil {
		return refusal(http.StatusBadRequest, "参数格式错误")
	}
	if len(asked) > most {
		return tooMany(len(asked))
	}
	answer := reply{status: http.StatusOK, items: len(asked)}
	list := []any{}
	for _, item := range asked {
		if item.onDrive() {
			answer.drive++
		}
		if bad := s.spoiled(item); bad != "" {
			answer.status, answer.body = http.StatusInternalServerError, map[string]any{"errorCode": 500, "errorMessage": bad}
			if item.Expiration == nil || !item.inRange() {
				answer.status = http.StatusBadRequest
			}
			return answer
		}
		if told := s.linked(item); told != nil {
			list = append([]any{told}, list...)
		}
	}
	answer.body = list
	return answer
}

func (i linkItem) inRange() bool {
	return i.onDrive() || *i.Expiration >= 1 && *i.Expiration <= int(maxExpiration/time.Second)
}

// spoiled says why an item makes the whole call fail, or nothing. s.mu is held.
func (s *Server) spoiled(item linkItem) string {
	switch {
	case item.Expiration == nil || !item.inRange():
		return "参数expiration错误"
	case s.company.refusals[item.ID] == Spoils:
		return "获取下载地址失败"
	case item.onDrive() && s.company.outage == DriveFails:
		return "no api permission"
	}
	return ""
}

// linked is the answer for one item, nil for none. s.mu is held.
func (s *Server) linked(item linkItem) map[string]any {
	f := s.company.files[item.ID]
	refused := s.company.refusals[item.ID]
	if f == nil || f.Key != item.Key || refused == Missing || item.onDrive() && s.company.outage == DriveMissing {
		return nil
	}
	told := map[string]any{"id": item.ID, "key": item.Key, "url": "", "thumbUrl": ""}
	if refused == NoURL || item.onDrive() && s.company.outage == DriveNoURL {
		return told
	}
	if item.onDrive() {
		l := s.issue(f, terms{life: s.links.terms.life(driveWindow)})
		told["url"], told["thumbUrl"] = l.url, l.url
		told["headers"] = map[string]any{"Authorization": l.authorization, "x-oss-date": l.date}
		return told
	}
	life := s.links.terms.life(time.Duration(*item.Expiration) * time.Second)
	told["url"] = s.issue(f, terms{life: life}).url
	told["thumbUrl"] = s.issue(f, terms{life: life, thumb: true}).url
	return told
}
