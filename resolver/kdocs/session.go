package kdocs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	// maxAnswer has room for a thousand records of many long columns.
	maxAnswer = 64 << 20
	// timeout is for such an answer over a slow line.
	timeout = 20 * time.Second
)

// session makes the calls of one provider.
type session struct {
	account string
	client  *api.Client
	tokens  *api.TokenSource
	keeper  atomic.Pointer[keeper] // nil with a token that somebody else keeps
	calls   calls
}

// newSession makes one for a cfg with defaults, without a call.
func newSession(cfg Config, limits *limit.Limits) *session {
	s := &session{account: cfg.account(), calls: newCalls(cfg.DailyCalls)}
	s.tokens = api.NewTokenSource(s.fetch(cfg), api.TokenOptions{Margin: tokenMargin, Log: cfg.Log})
	s.client = api.New(api.Config{
		BaseURL: cfg.BaseURL, Account: s.account, Limits: limits, Tokens: s.tokens, TokenQuery: "access_token",
		Kinds: commonKinds, Judge: judge, Timeout: timeout, MaxAnswer: maxAnswer, Log: cfg.Log,
	})
	return s
}

// fetch is where tokens come from; the former keeper, if any, is closed.
func (s *session) fetch(cfg Config) api.Fetch {
	var k *keeper
	fetch := api.Static(cfg.AccessToken)
	if cfg.AccessToken.IsZero() {
		k = newKeeper(cfg)
		fetch = k.fetch
	}
	if old := s.keeper.Swap(k); old != nil {
		_ = old.Close()
	}
	return fetch
}

// renew takes over other credentials of the same account.
func (s *session) renew(cfg Config) { s.tokens.Replace(s.fetch(cfg)) }

func (s *session) Close() error {
	err := errors.Join(s.tokens.Close(), s.client.Close())
	if k := s.keeper.Load(); k != nil {
		err = errors.Join(err, k.Close())
	}
	return err
}

// do makes a call with out for the data in the envelope. An answer without the
// data that is asked for is ErrUnavailable: it must not pass for one that says
// that there is nothing.
func (s *session) do(ctx context.Context, call api.Call, out any) (api.Reply, error) {
	var envelope struct {
		Code *int            `json:"code"`
		Data json.RawMessage `json:"data"`
	}
	reply, err := s.client.Do(ctx, call, &envelope)
	switch {
	case err != nil:
		return reply, err
	case envelope.Code == nil: // some other service, which may have nothing to tell
		return reply, fmt.Errorf("%s: answer has no code, is base_url right?: %w", call.Endpoint.Name, resolver.ErrUnavailable)
	case len(envelope.Data) == 0 || string(envelope.Data) == "null" || json.Unmarshal(envelope.Data, out) != nil:
		// The decoder's error may quote the answer.
		return reply, undocumented(call.Endpoint)
	}
	return reply, nil
}

// undocumented is the error of an answer that lacks what it should have.
func undocumented(e *api.Endpoint) error {
	return fmt.Errorf("%s: answer is not of the documented form: %w", e.Name, resolver.ErrUnavailable)
}

// usage tells of the budget of all calls, and of those endpoints that have none
// left.
func (s *session) usage() []limit.Usage {
	var told []limit.Usage
	for _, u := range s.client.Usage() {
		if strings.HasSuffix(u.Key, "/"+totalBudget) || u.Used >= u.Calls {
			told = append(told, u)
		}
	}
	return told
}
