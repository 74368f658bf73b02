package main

import (
	"context"
	"os/exec"

	"wenlan/bench/measure"
)

// wenlan is a command of the binary under test on a data folder.
func (b *bench) wenlan(ctx context.Context, data string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, b.bin, append([]string{"--data", data, "--ui-lang", "en"}, args...)...)
}

// serve starts a command of Wenlan that listens, and waits until it answers.
func (b *bench) serve(ctx context.Context, data string, args ...string) (*measure.Server, error) {
	return measure.Start(ctx, b.wenlan(ctx, data, args...), "", "/healthz")
}

// syncDisk waits until a folder's file system has nothing left to write.
func syncDisk(ctx context.Context, dir string) error {
	return exec.CommandContext(ctx, "sync", "--file-system", dir).Run()
}
