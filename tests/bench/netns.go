// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// within runs f on a thread of a network namespace. Sockets that f opens stay
// in there. The thread ends with f, as the runtime cannot know where it was.
func within[T any](namespace string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		var r result
		if r.err = enter(namespace); r.err == nil {
			r.value, r.err = f()
		}
		done <- r
	}()
	r := <-done
	return r.value, r.err
}

func enter(namespace string) error {
	f, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", namespace, err)
	}
	return nil
}

// sysctl sets settings of a namespace, each a name and a value.
func sysctl(namespace string, settings ...string) error {
	_, err := within(namespace, func() (struct{}, error) {
		for i := 0; i < len(settings); i += 2 {
			if err := os.WriteFile("/proc/sys/"+settings[i], []byte(settings[i+1]), 0); err != nil {
				return struct{}{}, fmt.Errorf("set up %s: %w", namespace, err)
			}
		}
		return struct{}{}, nil
	})
	return err
}

// sh runs a shell script in a namespace.
func sh(namespace, script string) error {
	if script == "" {
		return nil
	}
	return command("ip", "netns", "exec", namespace, "sh", "-ec", script)
}

// command runs a command, and fails with what it said.
func command(words ...string) error {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %q: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}
