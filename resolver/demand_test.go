package resolver_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func TestDemand_RaiseOnly(t *testing.T) {
	d := resolver.NewDemand(resolver.Ahead, func() resolver.Client { return resolver.Client{Job: 5, Process: 7} })
	d.Raise(resolver.Background)
	assert.Equal(t, resolver.Ahead, d.Urgency())
	var raising sync.WaitGroup
	for _, u := range []resolver.Urgency{resolver.Stat, resolver.Read, resolver.Ahead} {
		raising.Go(func() { d.Raise(u) })
	}
	raising.Wait()
	assert.Equal(t, resolver.Read, d.Urgency())
	assert.Equal(t, resolver.Client{Job: 5, Process: 7}, d.Client())
}

func TestDemandOf(t *testing.T) {
	d := resolver.NewDemand(resolver.Read, nil)
	assert.Same(t, d, resolver.DemandOf(resolver.WithDemand(t.Context(), d)))
	assert.Zero(t, d.Client())
	assert.Equal(t, resolver.Stat, resolver.DemandOf(t.Context()).Urgency(), "somebody waits, nobody knows who")
}
