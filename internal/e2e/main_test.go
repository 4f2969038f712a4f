package e2e_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/attachfs/attachfs/internal/cli"
)

// runEnv makes the test binary be attachfs, so that the program under test is
// built with the same flags, such as -race.
const runEnv = "ATTACHFS_E2E_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(runEnv) != "" {
		os.Exit(cli.Run(context.Background(), os.Args, os.Stdout, os.Stderr))
	}
	// The race detector waits a second at each exit for reports of others, which
	// makes minutes of some hundred runs of the program.
	if err := os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
