// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Setting a chain up costs no round trip: connecting takes as long as over the
// plain route, to within 2 ms, whatever the delay.
func TestConnectTime(t *testing.T) {
	const (
		rounds  = 20
		batches = 6
		delay   = 10 * time.Millisecond // of each direction of each link
		limit   = 2 * time.Millisecond
		port    = 5001
		plain   = 5009
	)
	l := useLab(t)
	l.apply(t, fmt.Sprintf("match(dstport=%d) >> %s\n", port, l.chain(2)))
	l.server().echo(t, port)
	l.server().echo(t, plain)
	l.impair(t, l.hosts, "delay", delay.String())

	// measure connects and returns how long TCP waited for the answer to its
	// SYN. When the program gets to run after that is another matter.
	measure := func(port uint16) time.Duration {
		c := l.client().connect(t, 0, l.server().port(port))
		defer func() { _ = c.Close() }()
		var info *unix.TCPInfo
		onSocket(t, c, func(fd int) (err error) {
			info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			return err
		})
		return time.Duration(info.Rtt) * time.Microsecond
	}
	batch := func() (a, b time.Duration) {
		times := map[uint16][]time.Duration{}
		for range rounds {
			for _, p := range []uint16{plain, port} {
				times[p] = append(times[p], measure(p))
			}
		}
		return median(times[plain]), median(times[port])
	}
	// The processor may be an emulated one that shares its host: a batch
	// that was disturbed says nothing. A round trip more is 20 ms at least,
	// in every batch.
	var added time.Duration
	for i := range batches {
		a, b := batch()
		added = b - a
		t.Logf("median of %d connects: plain %v, chain of 2 %v, difference %v", rounds, a, b, added)
		if links := len(l.hosts) - 1; a < time.Duration(2*links)*delay {
			t.Fatalf("plain connect takes %v over %d links of %v each way: the delay is not there", a, links, delay)
		}
		if i > 0 && added < limit { // the first one warms caches
			return
		}
	}
	t.Errorf("the chain adds %v, want less than %v", added, limit)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
