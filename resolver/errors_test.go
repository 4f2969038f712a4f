package resolver_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func TestRetryAfter(t *testing.T) {
	err := resolver.WithRetryAfter(fmt.Errorf("status 429: %w", resolver.ErrThrottled), 3*time.Second)
	wrapped := fmt.Errorf("resolve: %w", err)
	assert.Equal(t, 3*time.Second, resolver.RetryAfter(wrapped))
	assert.ErrorIs(t, wrapped, resolver.ErrThrottled)
	assert.Equal(t, "resolve: status 429: rate limited by the provider", wrapped.Error())
	assert.Zero(t, resolver.RetryAfter(resolver.ErrThrottled))
}

func TestKinds(t *testing.T) {
	assert.ErrorIs(t, resolver.ErrCredentials, resolver.ErrPermission)
	assert.ErrorIs(t, resolver.ErrDown, resolver.ErrUnavailable)
	assert.False(t, resolver.Refused(resolver.ErrCredentials), "that is about the account, not about a file")
	assert.True(t, resolver.Refused(resolver.ErrPermission))
}
