// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
)

// holder is this program again, in another namespace, with connections open
// until close.
type holder struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Scanner
}

// hold starts "bench WORDS" in a namespace and waits for its first line.
func hold(namespace string, words ...string) (*holder, string, error) {
	args := append([]string{"netns", "exec", namespace, os.Args[0]}, words...)
	cmd := exec.Command("ip", args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	h := &holder{cmd: cmd, stdin: stdin, out: bufio.NewScanner(stdout)}
	h.out.Buffer(nil, 1<<22)
	if !h.out.Scan() {
		h.close()
		return nil, "", fmt.Errorf("start %v in %s: it said nothing", words, namespace)
	}
	return h, h.out.Text(), nil
}

// close ends the process and waits for it; its exit status says nothing.
func (h *holder) close() {
	h.stdin.Close()
	_ = h.cmd.Wait()
}

// serve accepts connections on port 80 until its input ends.
func serve() error {
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = c.Write([]byte{1})
				_, _ = io.Copy(io.Discard, c) // until the client closes it
				_ = c.Close()
			}()
		}
	}()
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// dial opens n connections, prints their own ends as JSON, and holds them.
func dial(target string, n int) error {
	locals := make([]netip.AddrPort, 0, n)
	for range n {
		c, err := net.Dial("tcp4", net.JoinHostPort(target, "80"))
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			return err
		}
		locals = append(locals, c.LocalAddr().(*net.TCPAddr).AddrPort())
	}
	if err := json.NewEncoder(os.Stdout).Encode(locals); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
