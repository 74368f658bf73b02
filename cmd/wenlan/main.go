// Command wenlan is a public digital library: it takes in, serves, verifies and
// keeps it. See the README and `wenlan --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"wenlan/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
