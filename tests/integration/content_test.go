// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// content compares what is written to it with a file, byte by byte. That says
// more than equal digests do, and an emulated processor needs half a minute
// for SHA-256 of 256 MiB.
type content struct {
	want *bufio.Reader
	file *os.File
	n    int64 // bytes that were equal
	err  error
}

func openContent(path string) (*content, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &content{want: bufio.NewReaderSize(f, mib), file: f}, nil
}

// Write compares. It takes everything, so that a transfer is not broken off.
func (c *content) Write(b []byte) (int, error) {
	for rest := b; c.err == nil && len(rest) > 0; {
		want, err := c.want.Peek(min(len(rest), mib))
		if len(want) == 0 {
			c.err = fmt.Errorf("compare content: more than the %d bytes of it: %w", c.n, err)
			break
		}
		if !bytes.Equal(rest[:len(want)], want) {
			i := 0
			for rest[i] == want[i] {
				i++
			}
			c.err = fmt.Errorf("compare content: byte %d is %#x, want %#x", c.n+int64(i), rest[i], want[i])
			break
		}
		_, _ = c.want.Discard(len(want))
		c.n += int64(len(want))
		rest = rest[len(want):]
	}
	return len(b), nil
}

// close returns what was wrong with the content, first of all.
func (c *content) close() error {
	defer func() { _ = c.file.Close() }()
	if c.err != nil {
		return c.err
	}
	if _, err := c.want.Peek(1); err != io.EOF {
		return fmt.Errorf("compare content: it ends after %d bytes", c.n)
	}
	return nil
}

// compareFiles says where two files differ.
func compareFiles(got, want string) error {
	f, err := os.Open(got)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	c, err := openContent(want)
	if err != nil {
		return err
	}
	if _, err := io.Copy(c, bufio.NewReaderSize(f, mib)); err != nil {
		return err
	}
	return c.close()
}

// randomFile writes bytes that follow from the file's name.
func randomFile(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var seed [32]byte
	copy(seed[:], path)
	if _, err := io.CopyN(f, rand.NewChaCha8(seed), size); err != nil {
		return err
	}
	return f.Close()
}

func TestContent(t *testing.T) {
	path := t.TempDir() + "/file"
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name   string
		writes []string
		want   string
	}{
		{"equal", []string{"0123", "456789"}, "<nil>"},
		{"nothing", nil, "compare content: it ends after 0 bytes"},
		{"short", []string{"0123", "4567"}, "compare content: it ends after 8 bytes"},
		{"long", []string{"0123456789", "0"}, "compare content: more than the 10 bytes of it: EOF"},
		{"different", []string{"0123", "456x"}, "compare content: byte 7 is 0x78, want 0x37"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, err := openContent(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range row.writes {
				if n, err := io.WriteString(c, w); n != len(w) || err != nil {
					t.Errorf("write: %d, %v", n, err)
				}
			}
			if got := fmt.Sprint(c.close()); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
