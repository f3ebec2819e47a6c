// SPDX-License-Identifier: Apache-2.0

package integration

import (
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
		batches = 4
		delay   = 10 * time.Millisecond // of each direction of each link
		limit   = 2 * time.Millisecond
		port    = 5001
		plain   = 5009
	)
	r := newRig(t, 2)
	client, server := r.client(), r.server()
	r.load(t, "match(dstport=5001) >> {mb1 -> mb2}\n")
	server.echo(t, port)
	server.echo(t, plain)
	impair(t, r.hosts, "delay", delay.String())

	// measure connects and returns how long TCP waited for the answer to its
	// SYN. When the program gets to run after that is another matter.
	measure := func(port uint16) time.Duration {
		c := client.connect(t, 0, server.port(port))
		defer func() { _ = c.Close() }()
		var info *unix.TCPInfo
		onSocket(t, c, func(fd int) (err error) {
			info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			return err
		})
		return time.Duration(info.Rtt) * time.Microsecond
	}
	batch := func() (withoutChain, withChain []time.Duration) {
		for range rounds {
			withoutChain = append(withoutChain, measure(plain))
			withChain = append(withChain, measure(port))
		}
		slices.Sort(withoutChain)
		slices.Sort(withChain)
		return withoutChain, withChain
	}
	// A processor that is emulated, or shared, adds what it likes to what a
	// connection takes, but to the quickest the least. A round trip more
	// would be 20 ms at least in every one.
	var added time.Duration
	for i := range batches {
		a, b := batch()
		added = b[0] - a[0]
		t.Logf("%d connects: plain %v at best, median %v; chain of 2 %v at best, median %v; difference %v and %v",
			rounds, a[0], a[rounds/2], b[0], b[rounds/2], added, b[rounds/2]-a[rounds/2])
		if links := len(r.hosts) - 1; a[0] < time.Duration(2*links)*delay {
			t.Fatalf("plain connect takes %v over %d links of %v each way: the delay is not there", a[0], links, delay)
		}
		if i > 0 && added < limit { // the first batch warms caches
			return
		}
	}
	t.Errorf("the chain adds %v, want less than %v", added, limit)
}
