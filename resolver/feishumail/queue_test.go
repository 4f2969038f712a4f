package feishumail_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishumail"
)

// refusal is an answer of the API that refuses.
type refusal struct{ status, code int }

// queue is a mailbox of one folder that lists messages in the order in which they
// are put, and does what the simulator does not.
type queue struct {
	mu     sync.Mutex // guards the following
	order  []string
	dates  map[string]time.Time
	gone   map[string]bool // listed, but not there
	strict bool            // batch_get refuses when one is gone
	bare   bool            // messages show neither body nor attachments
	links  refusal
	asked  int // calls for links
}

func startQueue(t *testing.T) (*queue, *feishumail.Provider) {
	t.Helper()
	q := &queue{dates: make(map[string]time.Time), gone: make(map[string]bool)}
	mux := http.NewServeMux()
	const messages = "/open-apis/mail/v1/user_mailboxes/{mailbox}/messages"
	mux.HandleFunc("GET "+messages, q.list)
	mux.HandleFunc("POST "+messages+"/batch_get", q.batch)
	mux.HandleFunc("GET "+messages+"/{id}", q.get)
	mux.HandleFunc("GET "+messages+"/{id}/attachments/download_url", q.link)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return q, connect(t, feishumail.Config{BaseURL: server.URL, AccessToken: resolver.NewSecret("t-x"), Mailbox: mailbox})
}

func (q *queue) put(id string, date time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.order, q.dates[id] = append(q.order, id), date
}

func (q *queue) list(w http.ResponseWriter, _ *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	tell(w, map[string]any{"items": q.order})
}

func (q *queue) batch(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var body struct {
		IDs []string `json:"message_ids"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	var messages []any
	for _, id := range body.IDs {
		switch {
		case !q.gone[id]:
			messages = append(messages, q.message(id))
		case q.strict:
			refusal{400, 1230006}.tell(w)
			return
		}
	}
	tell(w, map[string]any{"messages": messages})
}

func (q *queue) get(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	id := path.Base(r.URL.Path)
	if q.gone[id] {
		refusal{404, 1234034}.tell(w)
		return
	}
	tell(w, map[string]any{"message": q.message(id)})
}

func (q *queue) link(w http.ResponseWriter, _ *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	q.links.tell(w)
}

func (q *queue) message(id string) any {
	m := map[string]any{"message_id": id, "subject": id, "internal_date": fmt.Sprint(q.dates[id].UnixMilli())}
	if !q.bare {
		m["attachments"] = []any{map[string]any{"id": "a", "filename": "a"}}
	}
	return m
}

func tell(w http.ResponseWriter, data any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"code": 0, "data": data})
}

func (r refusal) tell(w http.ResponseWriter) {
	w.WriteHeader(r.status)
	fmt.Fprintf(w, `{"code":%d,"msg":"no","error":{"permission_violations":[{"subject":%q}]}}`, r.code, bodyScope)
}

func TestProvider_GoneSinceItWasListed(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", strict), func(t *testing.T) {
			q, p := startQueue(t)
			q.put("one", noon)
			q.put("two", noon)
			q.gone["one"], q.strict = true, strict
			entries, _ := list(t, p, inbox)
			assert.Equal(t, []string{"2026-10-08 1200 two"}, names(entries))
		})
	}
}

func TestProvider_BareMessages(t *testing.T) {
	for _, c := range []struct {
		links refusal
		want  error
	}{
		{refusal{200, 0}, nil},
		{refusal{400, 1230001}, nil},
		{refusal{500, 1230003}, nil},
		{refusal{403, 1230002}, nil},
		{refusal{400, 99991672}, resolver.ErrCredentials},
		{refusal{400, 99991679}, resolver.ErrCredentials},
		{refusal{403, 0}, resolver.ErrPermission},
		{refusal{500, 0}, resolver.ErrUnavailable},
		{refusal{400, 99991400}, resolver.ErrThrottled},
	} {
		t.Run(fmt.Sprint(c.links), func(t *testing.T) {
			q, p := startQueue(t)
			q.put("one", noon)
			q.bare, q.links = true, c.links
			_, _, err := listed(t, p, inbox)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
				assert.ErrorContains(t, err, bodyScope)
				return
			}
			require.NoError(t, err)
			list(t, p, inbox)
			assert.Equal(t, 1, q.asked, "the scope is proven once")
			p.Renew(&feishumail.Config{AccessToken: resolver.NewSecret("t-y")})
			list(t, p, inbox)
			assert.Equal(t, 2, q.asked, "and once for other credentials")
		})
	}
}

func TestProvider_LinksOfGoneMessage(t *testing.T) {
	for _, gone := range []refusal{{404, 1234034}, {400, 1230006}} {
		q, p := startQueue(t)
		q.links = gone
		answers, err := p.Resolve(t.Context(), []resolver.ID{"message/x/y"})
		require.NoError(t, err)
		require.Len(t, answers, 1)
		assert.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)
	}
}
