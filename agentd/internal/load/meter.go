// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

const (
	// maxStat is how much of a file of /proc is read, in bytes; the first line of stat
	// and the whole of a process's are far shorter.
	maxStat = 4096
	// maxName is how many characters of a process's name the kernel keeps.
	maxName = 15
	// minSpan is the ticks of all processors below which there is too little to
	// divide by: 0.2 s of one.
	minSpan = 20
	// whole is the load of a host of which nothing is idle.
	whole = 1000
)

// Load is how busy a host was between two looks, of 1000: all its processors.
type Load struct {
	CPU uint32
	NF  uint32 // processes that are watched; 0 if none is
}

// Meter measures. It has the ticks of the look before.
type Meter struct {
	proc  fs.FS
	names map[string]bool // of the processes that are watched

	looked bool
	last   Load
	total  uint64 // ticks of all processors
	idle   uint64 // of these, idle
	ticks  map[string]uint64
}

// New returns a meter over a /proc that watches the processes of these names, as ps
// shows them; those longer than 15 characters are cut as the kernel cuts them.
func New(proc fs.FS, names []string) *Meter {
	m := &Meter{proc: proc, names: map[string]bool{}}
	for _, n := range names {
		m.names[n[:min(len(n), maxName)]] = true
	}
	return m
}

// Watches reports whether the meter watches processes.
func (m *Meter) Watches() bool { return len(m.names) > 0 }

// Look returns the load since the last look; nothing at the first one. One that comes
// too soon after another has the same answer.
func (m *Meter) Look() (Load, error) {
	total, idle, err := m.host()
	if err != nil {
		return Load{}, err
	}
	if m.looked && total >= m.total && total-m.total < minSpan {
		return m.last, nil
	}
	ticks, err := m.processes()
	if err != nil {
		return Load{}, err
	}
	var l Load
	if span := total - m.total; m.looked && total > m.total && idle >= m.idle {
		l.CPU = share(span-min(idle-m.idle, span), span)
		var used uint64
		for pid, now := range ticks {
			if before, known := m.ticks[pid]; known && now > before {
				used += now - before
			}
		}
		l.NF = share(used, span)
	}
	m.looked, m.last, m.total, m.idle, m.ticks = true, l, total, idle, ticks
	return l, nil
}

func share(part, all uint64) uint32 { return uint32(min(part*whole/all, whole)) }

// host returns the ticks that all processors have had, and how many of them were idle,
// which waiting for a disk is, too.
func (m *Meter) host() (total, idle uint64, err error) {
	text, err := m.read("stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("read processors: first line %q", line)
	}
	// What guests take is part of what the first fields say.
	for i, f := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read processors: %w", err)
		}
		total += n
		if i == 3 || i == 4 {
			idle += n
		}
	}
	return total, idle, nil
}

// processes returns the ticks of those that are watched, by process and start.
func (m *Meter) processes() (map[string]uint64, error) {
	ticks := map[string]uint64{}
	if !m.Watches() {
		return ticks, nil
	}
	entries, err := fs.ReadDir(m.proc, ".")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		if c := e.Name()[0]; c < '0' || c > '9' {
			continue
		}
		text, err := m.read(e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		if name, started, n, err := process(text); err == nil && m.names[name] {
			ticks[e.Name()+" "+started] = n
		}
	}
	return ticks, nil
}

var errProcess = errors.New("no line of a process")

// process reads /proc/PID/stat: name, when it started, and ticks in user space and in
// the kernel. A name may contain anything, brackets too.
func process(text string) (name, started string, ticks uint64, err error) {
	from, to := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if from < 0 || to < from {
		return "", "", 0, errProcess
	}
	fields := strings.Fields(text[to+1:]) // from the third on: the state
	if len(fields) < 20 {
		return "", "", 0, errProcess
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 64)
	system, err2 := strconv.ParseUint(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return "", "", 0, errProcess
	}
	return text[from+1 : to], fields[19], user + system, nil
}

func (m *Meter) read(name string) (string, error) {
	f, err := m.proc.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, maxStat)
	n := 0
	for n < len(b) {
		k, err := f.Read(b[n:])
		if n += k; err != nil || bytes.IndexByte(b[:n], '\n') >= 0 {
			break // the end, or the first line is there
		}
	}
	return string(b[:n]), nil
}
