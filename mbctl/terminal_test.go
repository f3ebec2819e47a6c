// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a terminal.
func openTerminal(t *testing.T) (screen, program *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return screen, program
}

func TestTerminalIsTakenAndPutBack(t *testing.T) {
	screen, program := openTerminal(t)
	state := func() unix.Termios {
		s, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return *s
	}
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	if columns, lines := terminalSize(int(program.Fd())); columns != 80 || lines != 24 {
		t.Errorf("%d columns and %d lines, want 80 and 24", columns, lines)
	}

	before := state()
	take := takeTerminal(program, program)
	if take == nil {
		t.Fatal("it is not taken for a terminal")
	}
	keys := make(chan byte, 10)
	restore, err := take(func(key byte) { keys <- key })
	if err != nil {
		t.Fatal(err)
	}
	if state() == before {
		t.Error("keys are shown, and wait for the end of a line")
	}
	if _, err := screen.WriteString("xq"); err != nil {
		t.Fatal(err)
	}
	for _, want := range "xq" {
		select {
		case got := <-keys:
			if rune(got) != want {
				t.Errorf("key %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("key %q did not come", want)
		}
	}
	restore()
	if state() != before {
		t.Error("the terminal is not as it was")
	}
	const want = "\x1b[?1049h\x1b[?25l" + "\x1b[?25h\x1b[?1049l"
	said := make([]byte, len(want))
	if _, err := io.ReadFull(screen, said); err != nil || string(said) != want {
		t.Errorf("the screen was sent %q, %v, want %q", said, err, want)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if takeTerminal(f, f) != nil {
		t.Error("/dev/null is taken for a terminal")
	}
}
