// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// The main thread stays in the namespace that the program was started in:
// tests/lab ends programs by that thread's.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if err := findKernel(); err != nil {
		if os.Getenv("MBCHAIN_REQUIRE_KERNEL") == "1" {
			fmt.Fprintln(os.Stderr, "integration:", err)
			os.Exit(1)
		}
		fmt.Println("integration: skipped:", err)
		os.Exit(0)
	}
	if err := keepPatches(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := closeLab(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// findKernel says what is missing to run the tests here.
func findKernel() error {
	if os.Geteuid() != 0 {
		return errors.New("find module: must be root; use tests/vm/run")
	}
	if _, err := os.Stat("/sys/module/mbchain"); err != nil {
		return errors.New("find module mbchain: not loaded; use tests/vm/run")
	}
	return nil
}

// top returns a path below the top of the checkout.
func top(t *testing.T, elements ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir}, elements...)...)
		}
	}
	t.Fatal("find checkout: no go.mod above the working directory")
	return ""
}

// hint says on a failure how to see the test alone. Every topology calls it.
func hint(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to see it alone: tests/vm/run -- build/integration.test -test.v -test.run '^%s$'", t.Name())
		}
	})
}
