// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nfQueue is the queue that the program listens to.
const nfQueue = 7

// A program on an NFQUEUE is an inline NF: it gets every packet that passes, as
// packets of the supersession, and what it says of them holds. dhcpoptinj puts an
// option into DHCP messages, drops those that have it already, and lets all else
// pass.
func TestQueueProgram(t *testing.T) { eachFamily(t, testQueueProgram) }

func testQueueProgram(t *testing.T, f family) {
	r := newRigOf(t, f, 1)
	client, mb, server := r.client(), r.middleboxes()[0], r.server()
	r.load(t, "match(dstport=5001 | dstport=67) >> {mb1}\n")
	r.agentsOn(t, r.hosts...)
	r.offloads(t, "off")
	// Whatever is not of a supersession, or not for the program, is dropped. The
	// program takes packets whose length is a multiple of 256 for incomplete and
	// drops them, each time that they are sent again; a transfer stood still for
	// that now and then. Those go by it, and none is cut to that length later.
	mb.nft(t, "program", fmt.Sprintf(`chain forward {
		type filter hook forward priority 0; policy drop;
		meta length & 0xff == 0 accept
		%[1]s saddr %[2]v %[1]s daddr %[3]v queue num %[4]d
		%[1]s saddr %[3]v %[1]s daddr %[2]v queue num %[4]d
	}`, f.nft, client.addr, server.addr, nfQueue))
	log := filepath.Join(t.TempDir(), "log")
	mb.start(t, "sh", "-c", fmt.Sprintf("exec stdbuf -oL dhcpoptinj -d -f -q %d -o '%X' >%s 2>&1", nfQueue, option, log))
	eventually(t, soon, func() error {
		_, err := mb.queued()
		return err
	})

	t.Run("transfer", func(t *testing.T) {
		for _, h := range []*host{client, server} { // the queue is short, and TCP would fill it
			h.set(t, "ipv4/tcp_rmem", "4096 32768 32768")
		}
		server.echo(t, 5001)
		c := client.connect(t, 0, server.port(5001))
		talk(t, c, 300_000)
		r.chained(t, client.session(t, superOf(c)), r.hosts...)
		in := mb.session(t, superOf(c)).Left.InPackets
		eventually(t, soon, func() error {
			n, err := mb.queued()
			if err == nil && n < in {
				err = fmt.Errorf("the program got %d packets, want the %d from the client at least", n, in)
			}
			return err
		})
	})
	if f.number == ipv4.number {
		t.Run("changed and dropped", func(t *testing.T) { r.changedAndDropped(t, log) })
	}
}

// option is a host name, in DHCP: its number and what it says.
var option = append([]byte{12}, "chain"...)

// changedAndDropped sends DHCP messages through the program.
func (r *rig) changedAndDropped(t *testing.T, log string) {
	client, server := r.client(), r.server()
	from, to := client.datagrams(t, 0, nil), server.datagrams(t, 67, nil)
	withOption := append([]byte{option[0], byte(len(option) - 1)}, option[1:]...)
	send := func(options ...byte) {
		t.Helper()
		if _, err := from.WriteToUDPAddrPort(dhcpMessage(options...), server.port(67)); err != nil {
			t.Fatal(err)
		}
	}
	receive := func(want []byte) {
		t.Helper()
		got := make([]byte, 1<<16)
		if err := to.SetReadDeadline(time.Now().Add(soon)); err != nil {
			t.Fatal(err)
		}
		n, source, err := to.ReadFromUDPAddrPort(got)
		if err != nil {
			t.Fatal(err)
		}
		if sent := from.LocalAddr().(*net.UDPAddr).AddrPort(); source != sent {
			t.Errorf("a message of %v, want of %v", source, sent)
		}
		if !bytes.HasPrefix(got[:n], want) {
			t.Errorf("got %x, want %x", got[:n], want)
		}
	}
	changed := func(id byte) []byte {
		m := dhcpMessage(61, 1, id)
		return append(append(m[:len(m)-1:len(m)-1], withOption...), 255)
	}
	send(61, 1, 'a')
	receive(changed('a'))
	send(withOption...) // dropped
	send(61, 1, 'b')
	receive(changed('b'))

	said, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		fmt.Sprintf("to %v:67", server.addr):                3,
		"Dropping the packet because option already exists": 1,
	} {
		if n := strings.Count(string(said), text); n != want {
			t.Errorf("the program said %q %d times, want %d:\n%s", text, n, want, said)
		}
	}
}

// dhcpMessage is a DISCOVER with more options.
func dhcpMessage(options ...byte) []byte {
	m := make([]byte, 236) // BOOTP
	copy(m, []byte{1, 1, 6, 0})
	m = append(m, 0x63, 0x82, 0x53, 0x63, 53, 1, 1)
	return append(append(m, options...), 255)
}

// queued returns how many packets the program on the queue was given.
func (h *host) queued() (uint64, error) {
	text, err := within(h, func() ([]byte, error) { return os.ReadFile("/proc/thread-self/net/netfilter/nfnetlink_queue") })
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		// queue, port, waiting, mode, range, dropped, dropped, sequence
		field := strings.Fields(line)
		if len(field) > 7 && field[0] == strconv.Itoa(nfQueue) {
			return strconv.ParseUint(field[7], 10, 64)
		}
	}
	return 0, fmt.Errorf("nobody listens to queue %d of %s", nfQueue, h.name)
}
