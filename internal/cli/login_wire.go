package cli

import (
	"fmt"
	"log/slog"
)

// newLogin is the way to the tokens of a provider.
func newLogin(p ProviderConfig, _ *slog.Logger) (login, error) {
	return nil, fmt.Errorf("%w: provider %s is of type %s, to which no person logs in", ErrConfig, p.Name, p.Type)
}
