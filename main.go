// Command attachfs mounts the attachments of business services as a read-only
// drive. See README.md.
package main

import (
	"context"
	"os"

	"github.com/attachfs/attachfs/internal/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args, os.Stdout, os.Stderr))
}
