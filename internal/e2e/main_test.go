package e2e_test

import (
	"context"
	"os"
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
	os.Exit(m.Run())
}
