// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mbchain/identity"
	"mbchain/identity/keep"
)

// version is set by the build: -ldflags "-X main.version=...".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(int(osWorld().run(ctx, os.Args[1:])))
}

// osWorld is the world as this process finds it.
func osWorld() *world {
	width, terminal := terminalWidth(int(os.Stdout.Fd()))
	return &world{
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		version: version,
		getenv:  os.Getenv,
		open:    func(name string) (file, error) { return os.Open(name) },
		write:   rewriteFile,
		dial:    new(net.Dialer).DialContext,
		now:     time.Now,
		sleep:   sleep,
		limit:   context.WithTimeout,
		newJob:  newJob,

		saveSecret: keep.Write, load: keep.Load, save: keep.Save, exists: exists,
		newToken: identity.NewToken,

		width:    width,
		size:     func() (columns, lines int) { return terminalSize(int(os.Stdout.Fd())) },
		terminal: takeTerminal(os.Stdin, os.Stdout),
		colour:   terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		utf8:     utf8Locale(os.Getenv),
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func newJob() uint64 {
	for {
		if job := rand.Uint64(); job != 0 {
			return job
		}
	}
}

// terminalWidth is 0 and false where fd is not a terminal.
func terminalWidth(fd int) (int, bool) {
	_, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	columns, _ := terminalSize(fd)
	return columns, err == nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
