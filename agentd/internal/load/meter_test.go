// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// stat is a /proc/stat with ticks for user, system, idle and iowait.
func stat(user, system, idle, wait int) string {
	return fmt.Sprintf("cpu  %d 0 %d %d %d 0 0 0 7 0\ncpu0 1 2 3\n", user, system, idle, wait)
}

func proc(files map[string]string) fstest.MapFS {
	to := fstest.MapFS{}
	for name, text := range files {
		to[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return to
}

// process is a /proc/PID/stat.
func processLine(name string, user, system, start int) string {
	return fmt.Sprintf("77 (%s) S 1 77 77 0 -1 4194560 1 0 0 0 %d %d 0 0 20 0 1 0 %d 1000 1 0\n", name, user, system, start)
}

func TestLook(t *testing.T) {
	tests := []struct {
		name          string
		before, after map[string]string
		want          Load
	}{
		{"idle", map[string]string{"stat": stat(10, 10, 100, 0)}, map[string]string{"stat": stat(10, 10, 200, 0)}, Load{}},
		{"busy", map[string]string{"stat": stat(10, 10, 100, 0)}, map[string]string{"stat": stat(60, 60, 100, 0)}, Load{CPU: 1000}},
		{"a quarter", map[string]string{"stat": stat(0, 0, 0, 0)}, map[string]string{"stat": stat(20, 5, 75, 0)}, Load{CPU: 250}},
		{"waiting for a disk is idle", map[string]string{"stat": stat(0, 0, 0, 0)}, map[string]string{"stat": stat(10, 0, 50, 40)}, Load{CPU: 100}},
		{"counters that go back", map[string]string{"stat": stat(50, 0, 50, 0)}, map[string]string{"stat": stat(60, 0, 40, 0)}, Load{}},
		{"two of the NF's processes, and another",
			map[string]string{"stat": stat(0, 0, 0, 0), "7/stat": processLine("squid", 5, 5, 1), "8/stat": processLine("squid", 0, 0, 2), "9/stat": processLine("sshd", 0, 0, 3)},
			map[string]string{"stat": stat(60, 0, 40, 0), "7/stat": processLine("squid", 15, 10, 1), "8/stat": processLine("squid", 5, 0, 2), "9/stat": processLine("sshd", 40, 0, 3)},
			Load{CPU: 600, NF: 200}},
		{"a process that began meanwhile counts from then on",
			map[string]string{"stat": stat(0, 0, 0, 0), "7/stat": processLine("squid", 500, 0, 1)},
			map[string]string{"stat": stat(50, 0, 50, 0), "7/stat": processLine("squid", 900, 0, 2)},
			Load{CPU: 500}},
		{"a long name, with brackets",
			map[string]string{"stat": stat(0, 0, 0, 0), "7/stat": processLine("a) very (long n", 0, 0, 1)},
			map[string]string{"stat": stat(50, 0, 50, 0), "7/stat": processLine("a) very (long n", 30, 0, 1)},
			Load{CPU: 500, NF: 300}},
		{"what is no process",
			map[string]string{"stat": stat(0, 0, 0, 0), "7/stat": "77 (squid"},
			map[string]string{"stat": stat(50, 0, 50, 0), "7/stat": processLine("squid", 1, 1, 1)[:40], "8/cmdline": ""},
			Load{CPU: 500}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := New(proc(tt.before), []string{"squid", "a) very (long name"})
			if got, err := m.Look(); got != (Load{}) || err != nil {
				t.Errorf("first look %+v, error %v", got, err)
			}
			m.proc = proc(tt.after)
			if got, err := m.Look(); got != tt.want || err != nil {
				t.Errorf("load %+v, error %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// A hundredth of a second is too little to say anything.
func TestLookTooSoon(t *testing.T) {
	m := New(proc(map[string]string{"stat": stat(0, 0, 0, 0)}), nil)
	var got []uint32
	for _, text := range []string{stat(0, 0, 0, 0), stat(50, 0, 50, 0), stat(60, 0, 50, 0), stat(70, 0, 130, 0)} {
		m.proc = proc(map[string]string{"stat": text})
		l, err := m.Look()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.CPU)
	}
	if want := []uint32{0, 500, 500, 200}; !slices.Equal(got, want) {
		t.Errorf("loads %d, want %d", got, want)
	}
}

func TestLookFails(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no stat": {"7/stat": ""}, "empty": {"stat": ""}, "another line": {"stat": "cpu0 1 2 3 4 5 6"}, "no number": {"stat": "cpu 1 2 x 4 5 6\n"},
	} {
		if _, err := New(proc(files), nil).Look(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The kernel's own files read as expected.
func TestLookAtThisHost(t *testing.T) {
	self, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	name, _, _, err := process(string(self))
	if err != nil || !strings.HasPrefix("load.test", name) {
		t.Errorf("this process is %q, error %v", name, err)
	}
	m := New(os.DirFS("/proc"), []string{name})
	for range 2 {
		if _, err := m.Look(); err != nil {
			t.Fatal(err)
		}
	}
	if m.total == 0 || len(m.ticks) == 0 {
		t.Errorf("%d ticks, %d processes", m.total, len(m.ticks))
	}
}

func FuzzProcess(f *testing.F) {
	f.Add(processLine("squid", 1, 2, 3))
	f.Add("7 ()) R 1")
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, ticks, err := process(text); err != nil && ticks != 0 {
			t.Errorf("%d ticks with error %v", ticks, err)
		}
	})
}
