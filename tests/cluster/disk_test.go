// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a disk of so many bytes at dir, for a node and for nobody
// else, and returns what starts a program there and the way to its files.
func smallDisk(t *testing.T, dir string, size int) (prefix []string, inside string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a disk of its own needs root")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("unshare", "-m", "sh", "-c",
		`mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec sleep infinity`, "sh", strconv.Itoa(size), dir)
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := holder.StdoutPipe()
	if err == nil {
		err = holder.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait() // it was killed
	})
	if line, err := bufio.NewReader(pipe).ReadString('\n'); err != nil {
		t.Fatalf("mount: %q, %v", line, err)
	}
	pid := strconv.Itoa(holder.Process.Pid)
	return []string{"nsenter", "-t", pid, "-m"}, filepath.Join("/proc", pid, "root", dir)
}

// fill leaves no room on the disk of dir, and returns what does.
func fill(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); ; {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return filler
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// long is a policy of 200 KiB.
func long(n int) string { return policyOf(n) + strings.Repeat("# nothing\n", 20<<10) }

// The disk of a node is full. Outcome: the others go on, whether it led or not;
// the node keeps what it acknowledged, and says what to do if it has to end.
// When there is room it catches up.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"follower", "leader"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			d := newDomain(t, 3)
			full := d.nodes[2]
			if role == "leader" {
				full = d.nodes[0]
			}
			prefix, inside := smallDisk(t, full.data, 24<<20)
			full.prefix, full.inside = prefix, inside
			d.form()
			l := begin(t, d)
			l.more(t, 5)
			filler := fill(t, inside)
			for i := range 15 { // more than its log has room for without growing
				l.apply(t.Context(), writers+readers, &client{d: d}, long(1_000_000+i), nil)
			}
			l.more(t, 20)
			eventually(t, func() error {
				if leader := d.leads(); leader == nil || leader == full {
					return fmt.Errorf("%v leads", leader)
				}
				return nil
			})
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			select {
			case <-full.drained:
				if status := full.exited(); status != 1 || !full.said("see that there is room (df "+full.data+")") {
					t.Errorf("it ended with status %d and did not say what to do", status)
				}
				t.Log("it had to end, and was started again")
				full.start()
			case <-time.After(time.Second): // it lives, and has room again
			}
			l.finish(t)
			d.agree(d.nodes...)
		})
	}
}

// The log of a node is damaged while it is down. Outcome: the node refuses to
// start and says how to go on; the others go on; with an empty directory it
// joins under its old name and has all that was acknowledged.
func TestCorruptedLog(t *testing.T) {
	t.Parallel()
	d := newDomain(t, 3).form()
	broken := d.others(d.leader())[0]
	last := 0
	for range 5 {
		last++
		d.mustApply(policyOf(last))
	}
	broken.kill()
	info, err := os.Stat(broken.db())
	if err != nil {
		t.Fatal(err)
	}
	garbage := []byte(strings.Repeat("garbage ", int(info.Size()/8)))
	if err := os.WriteFile(broken.db(), garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	broken.start()
	if status := broken.exited(); status != 1 || !broken.said("data directory is damaged") || !broken.said("mbctl cluster join") {
		t.Errorf("status %d, or it did not say how to go on", status)
	}
	last++
	d.mustApply(policyOf(last))

	if err := os.Rename(broken.data, broken.data+".damaged"); err != nil {
		t.Fatal(err)
	}
	d.join(broken)
	d.agree(d.nodes...)
	// It counts again: the leader may go.
	d.leader().kill()
	d.wantPolicy(uint64(last), policyOf(last))
	if version := d.mustApply(policyOf(last + 1)); version != uint64(last+1) {
		t.Errorf("version %d, want %d", version, last+1)
	}
}
