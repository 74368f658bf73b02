package store

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

const killEnv = "WENLAN_STORE_KILL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

const killLarge = 200

// victim applies batches until it is killed, and prints the cursor after each.
func victim(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, killConfig(dir))
	if err != nil {
		return err
	}
	if err := s.Ready(); err != nil {
		return err
	}
	for c := s.Cursor() + 1; ; c++ {
		if err := s.Apply(ctx, batchAt(c, killLarge)); err != nil {
			return err
		}
		fmt.Println(c)
		switch {
		case c%97 == 0:
			err = s.Compact(ctx, 2)
		case c%211 == 0: // a rebuild of some of it: the rest comes again
			var d *Draft
			if d, err = s.Draft(ctx); err != nil {
				return err
			}
			for at := int64(1); at <= c && err == nil; at++ {
				err = d.Apply(ctx, batchAt(at, killLarge))
			}
			if err == nil {
				err = d.Commit(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

func killConfig(dir string) Config {
	cfg := small(dir, nil)
	cfg.FlushDocs = 100
	return cfg
}

// TestKill kills a process that applies, merges and rebuilds, at random moments. What
// it had applied is all there afterwards, and exactly that.
func TestKill(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 12
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	ctx := context.Background()
	h := history{large: killLarge}
	var dir string
	folders := 0
	var out bytes.Buffer
	for round := range rounds {
		if round%50 == 0 { // so that the history does not grow long
			dir = t.TempDir()
			folders++
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		out.Reset()
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+rng.IntN(90)) * time.Millisecond)
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("round %d: it ended by itself: %v\n%s", round, err, &out)
		}
		var told int64
		for lines := bufio.NewScanner(&out); lines.Scan(); {
			line := strings.TrimSpace(lines.Text())
			if n, err := strconv.ParseInt(line, 10, 64); err == nil && n == told+1 || told == 0 {
				told = n // the last line may be cut
			}
		}
		cfg := killConfig(dir)
		cfg.ReadOnly = true
		r := open(t, cfg)
		c := r.Cursor()
		if r.Ready() == nil { // else it was killed before it had made anything
			holds(t, r, c, h.at(c))
		}
		closed(t, r)
		if c < told {
			t.Fatalf("round %d: %d had been applied, and the cursor is %d", round, told, c)
		}
		if round%4 == 0 {
			cfg.ReadOnly = false
			s := open(t, cfg)
			holds(t, s, c, h.at(c))
			if err := s.Check(ctx); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			closed(t, s)
		}
	}
	t.Logf("%d kills, up to cursor %d", rounds, len(h.states)-1)
}
