package feishu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// The device flow is in no document; this is what Feishu's own client does and
// assumes.
const (
	devicePath  = "/oauth/v1/device_authorization"
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	deviceLife  = 240 * time.Second
	devicePause = 5 * time.Second
)

// Device is a login that waits for a user with a browser anywhere.
type Device struct {
	// Page is where the user agrees, and Code what the page may ask for.
	Page, Code string
	// Life is how long the user has.
	Life time.Duration

	code  resolver.Secret
	pause time.Duration
}

// StartDevice begins a login that needs no way back from the browser.
func (l *Login) StartDevice(ctx context.Context) (Device, error) {
	form := url.Values{"client_id": {l.cfg.AppID}, "scope": {l.scopes}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.cfg.accounts()+devicePath, strings.NewReader(form.Encode()))
	if err != nil {
		return Device{}, fmt.Errorf("start a login: %w: %w", resolver.ErrUnavailable, resolver.Redact(err))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(l.cfg.AppID, l.cfg.AppSecret.Reveal())
	client := &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return Device{}, fmt.Errorf("start a login: %w: %w", resolver.ErrUnavailable, resolver.Redact(err))
	}
	defer res.Body.Close()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return Device{}, fmt.Errorf("start a login: %w: %w", resolver.ErrUnavailable, resolver.Redact(err))
	}
	return readDevice(res.StatusCode, text)
}

// readDevice reads the answer that starts a login.
func readDevice(status int, text []byte) (Device, error) {
	var answer struct {
		Code     int    `json:"code"`
		Device   string `json:"device_code"`
		User     string `json:"user_code"`
		URI      string `json:"verification_uri"`
		Complete string `json:"verification_uri_complete"`
		Expires  int    `json:"expires_in"`
		Interval int    `json:"interval"`
	}
	err := json.Unmarshal(text, &answer)
	switch {
	case status == http.StatusUnauthorized, answer.Code == 20002, answer.Code == 20048:
		return Device{}, fmt.Errorf("start a login: %w", errApp)
	case answer.Code == 20027:
		return Device{}, fmt.Errorf("start a login: the app lacks a scope: %w", resolver.ErrCredentials)
	case err != nil || answer.Device == "" || answer.URI == "":
		return Device{}, fmt.Errorf("start a login: status %d, code %d: %w", status, answer.Code, resolver.ErrUnavailable)
	}
	d := Device{
		Page: answer.URI, Code: answer.User, Life: deviceLife, pause: devicePause, code: resolver.NewSecret(answer.Device),
	}
	if answer.Complete != "" {
		d.Page = answer.Complete
	}
	if answer.Expires > 0 {
		d.Life = time.Duration(answer.Expires) * time.Second
	}
	if answer.Interval > 0 {
		d.pause = time.Duration(answer.Interval) * time.Second
	}
	return d, nil
}

// FinishDevice waits until the user agrees, or is known not to, keeps the tokens,
// and tells in a line for how long. It ends with the life of d.
func (l *Login) FinishDevice(ctx context.Context, d Device) (string, error) {
	waiting, cancel := context.WithTimeout(ctx, d.Life)
	defer cancel()
	for pause := d.pause; ; {
		select {
		case <-time.After(pause):
		case <-waiting.Done():
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", errTooLate
		}
		t, err := l.tokens.grant(waiting, map[string]string{"grant_type": deviceGrant, "device_code": d.code.Reveal()})
		switch {
		case err == nil:
			return l.keep(ctx, t)
		case errors.Is(err, errSlowDown):
			pause += devicePause // as the standard of such logins has it
		case errors.Is(err, errPending), errors.Is(err, resolver.ErrUnavailable), errors.Is(err, resolver.ErrThrottled):
		case waiting.Err() != nil:
		default:
			return "", refusedCode(err)
		}
	}
}

// refusedCode says of an answer that refuses a code that the code may be to blame.
func refusedCode(err error) error {
	var told *api.Error
	if errors.As(err, &told) && told.Status == http.StatusBadRequest && !errors.Is(err, resolver.ErrCredentials) {
		return fmt.Errorf("status %d, code %s: the code is not, or no longer, good: %w", told.Status, told.Code, resolver.ErrCredentials)
	}
	return err
}
