// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is the policyd that tests start.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "policyd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "policyd")
	build := exec.Command("go", "build", "-o", program, "mbchain/policyd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped, and is compiled already
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build policyd: %v\n%s", err, out)
		return 1
	}
	// Tests wait for elections more than for processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// soak reports whether there is time.
func soak() bool { return os.Getenv("MBCHAIN_SOAK") == "1" }
