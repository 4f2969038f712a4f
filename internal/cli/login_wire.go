package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/attachfs/attachfs/resolver/feishu"
	"github.com/attachfs/attachfs/resolver/feishudocs"
	"github.com/attachfs/attachfs/resolver/feishumail"
	"github.com/attachfs/attachfs/resolver/kdocs"
)

// newLogin is the way to the tokens of a provider.
func newLogin(p ProviderConfig, log *slog.Logger) (login, error) {
	var l login
	var err error
	switch o := p.Options.(type) {
	case *kdocs.Config:
		l, err = kdocsLogin(*o, log)
	case *feishumail.Config:
		cfg := *o
		cfg.Log = log
		l, err = feishuLogin(feishumail.Login(cfg))
	case *feishudocs.Config:
		cfg := *o
		cfg.Log = log
		l, err = feishuLogin(feishudocs.Login(cfg))
	default:
		err = fmt.Errorf("is of type %s, to which no person logs in", p.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: provider %s: %w", ErrConfig, p.Name, err)
	}
	return l, nil
}

func kdocsLogin(c kdocs.Config, log *slog.Logger) (login, error) {
	if !c.AccessToken.IsZero() {
		return nil, errors.New("access_token: takes the place of a login; leave it out")
	}
	return kdocs.NewLogin(kdocs.LoginConfig{
		BaseURL: c.BaseURL, AppID: c.AppID, AppKey: c.AppKey, TokenFile: c.TokenFile, Log: log,
	}), nil
}

// feishuLogin is also a deviceLogin.
func feishuLogin(l *feishu.Login, err error) (login, error) {
	if err != nil {
		return nil, err
	}
	return feishuWay{l}, nil
}

type feishuWay struct{ *feishu.Login }

// Start begins a login by device.
func (w feishuWay) Start(ctx context.Context) (page, code string, life time.Duration, finish finishLogin, err error) {
	d, err := w.StartDevice(ctx)
	return d.Page, d.Code, d.Life, func(ctx context.Context) (string, error) { return w.FinishDevice(ctx, d) }, err
}
