// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// takeTerminal returns what takes a terminal over, or nil where in or out is none: pressed
// is then called with each key, which is not shown, and what the program prints goes to
// a screen of its own. restore puts all back as it was.
func takeTerminal(in, out *os.File) func(pressed func(key byte)) (restore func(), err error) {
	if _, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	if _, terminal := terminalWidth(int(out.Fd())); !terminal {
		return nil
	}
	return func(pressed func(key byte)) (func(), error) {
		old, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
		if err != nil {
			return nil, err
		}
		quiet := *old
		quiet.Lflag &^= unix.ICANON | unix.ECHO // keys that make signals still do
		quiet.Cc[unix.VMIN], quiet.Cc[unix.VTIME] = 0, 1
		if err := unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &quiet); err != nil {
			return nil, err
		}
		_, _ = out.WriteString("\x1b[?1049h\x1b[?25l") // another screen, no cursor
		ctx, stop := context.WithCancel(context.Background())
		var reading sync.WaitGroup
		reading.Go(func() { readKeys(ctx, in, pressed) })
		return func() {
			stop()
			reading.Wait()
			_, _ = out.WriteString("\x1b[?25h\x1b[?1049l")
			_ = unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, old)
		}, nil
	}
}

// readKeys reads until ctx is done, which it looks at each time that the terminal has had
// no key for a tenth of a second: that is an end of file to package os.
func readKeys(ctx context.Context, in *os.File, pressed func(key byte)) {
	key := make([]byte, 1)
	for ctx.Err() == nil {
		n, err := in.Read(key)
		if n == 1 {
			pressed(key[0])
		} else if err != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}

// terminalSize is how many columns and lines a terminal has now; 0: it is none.
func terminalSize(fd int) (columns, lines int) {
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}
