// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// meter takes the samples of one row.
type meter struct {
	windows int // how often everything is measured
	packets int // in one window, roughly
	counted int // packets that a sample is the mean of
	samples []float64
	lasted  func() (int64, error) // what was measured last, where the clock does not tell
}

// measure takes samples: what n packets cost in there, less what they cost in
// aside, where they are sent in the same way but go nowhere. divert turns the
// one into the other.
func (m *meter) measure(n int, there func() error, divert func() error, aside func() error) error {
	m.counted = n
	// The first pass warms caches of routes and neighbours.
	if err := there(); err != nil {
		return err
	}
	full, err := m.repeat(there)
	if err != nil {
		return err
	}
	if err := divert(); err != nil {
		return err
	}
	if err := aside(); err != nil {
		return err
	}
	rest, err := m.repeat(aside)
	if err != nil {
		return err
	}
	for i := range full {
		m.samples = append(m.samples, float64(full[i]-rest[i])/float64(n))
	}
	return nil
}

func (m *meter) repeat(f func() error) ([]int64, error) {
	var all []int64
	for range m.windows {
		if err := settle(); err != nil {
			return nil, err
		}
		n, err := instructions(f)
		if err == nil && m.lasted != nil {
			n, err = m.lasted()
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// instructions is how many f takes: nanoseconds of the guest's clock.
func instructions(f func() error) (int64, error) {
	start, err := now()
	if err != nil {
		return 0, err
	}
	markStart()
	err = f()
	markStop()
	if err != nil {
		return 0, err
	}
	stop, err := now()
	return stop - start, err
}

func now() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, fmt.Errorf("read clock: %w", err)
	}
	return ts.Nano(), nil
}

// settle waits until the guest has nothing else left to do: namespaces that
// went, tables that grow, memory to give back. Idle time costs no time under
// -icount sleep=off.
func settle() error {
	const tick = 100 * time.Millisecond // /proc/stat counts hundredths of a second
	for range 600 {
		before, err := idle()
		if err != nil {
			return err
		}
		time.Sleep(tick)
		after, err := idle()
		if err != nil {
			return err
		}
		if after-before >= tick*95/100 {
			return nil
		}
	}
	return fmt.Errorf("wait for the guest to have nothing to do: it still has after a minute")
}

// idle is how long the processor has had nothing to do.
func idle() (time.Duration, error) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	var up, idle float64
	if _, err := fmt.Sscan(string(b), &up, &idle); err != nil {
		return 0, fmt.Errorf("read uptime: %w", err)
	}
	return time.Duration(idle * float64(time.Second)), nil
}
