// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"iter"
	"os"
	"sync"
	"syscall"
	"time"

	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// The multicast groups' numbers.
const (
	eventsGroup = 7
	setupGroup  = 8
)

// datagram is what one read of a socket returns.
type datagram struct {
	messages []netlink.Message
	err      error
}

// socket is one netlink socket; kernel.mu protects it.
type socket struct {
	kernel *Kernel
	pid    uint32

	queue    []datagram
	changed  *sync.Cond
	groups   map[uint32]bool // that it joined
	closed   bool
	deadline bool // passed
}

func newSocket(k *Kernel, pid uint32) *socket {
	return &socket{kernel: k, pid: pid, changed: sync.NewCond(&k.mu), groups: make(map[uint32]bool)}
}

func (s *socket) deliver(d datagram) {
	s.queue = append(s.queue, d)
	s.changed.Broadcast()
}

// multicast sends an event to all who listen.
func (k *Kernel) multicast(cmd uint8, attrs []byte) {
	group := uint32(eventsGroup)
	if cmd == uapi.CmdEventSetup {
		group = setupGroup
	}
	m := genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: uapi.GenlVersion},
		Data:   attrs,
	}
	for s := range k.sockets {
		if s.groups[group] {
			s.deliver(datagram{messages: []netlink.Message{{
				Header: netlink.Header{Type: netlink.HeaderType(k.familyID)},
				Data:   marshal(m),
			}}})
		}
	}
}

// Send runs one request to its end, as a kernel does.
func (s *socket) Send(m netlink.Message) error {
	k := s.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	k.handle(s, m)
	return nil
}

// SendMessages runs several requests in turn.
func (s *socket) SendMessages(ms []netlink.Message) error {
	for _, m := range ms {
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// Receive waits for a datagram.
func (s *socket) Receive() ([]netlink.Message, error) {
	s.kernel.mu.Lock()
	defer s.kernel.mu.Unlock()
	for len(s.queue) == 0 {
		switch {
		case s.closed:
			return nil, os.ErrClosed
		case s.deadline:
			return nil, os.ErrDeadlineExceeded
		}
		s.changed.Wait()
	}
	d := s.queue[0]
	s.queue = s.queue[1:]
	if d.err != nil {
		return nil, os.NewSyscallError("recvmsg", d.err)
	}
	return d.messages, nil
}

// ReceiveIter is Receive, message by message.
func (s *socket) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		messages, err := s.Receive()
		if err != nil {
			yield(netlink.Message{}, err)
			return
		}
		for _, m := range messages {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// Close forgets the policy that the socket was loading.
func (s *socket) Close() error {
	k := s.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.closed = true
	s.queue = nil
	delete(k.sockets, s)
	if k.loader == s {
		k.loader, k.loading = nil, nil
	}
	s.changed.Broadcast()
	return nil
}

// JoinGroup begins to deliver events.
func (s *socket) JoinGroup(group uint32) error {
	k := s.kernel
	k.mu.Lock()
	defer k.mu.Unlock()
	if group != eventsGroup && group != setupGroup || !k.loaded {
		return os.NewSyscallError("setsockopt", syscall.EINVAL)
	}
	s.groups[group] = true
	return nil
}

// LeaveGroup ends that.
func (s *socket) LeaveGroup(group uint32) error {
	s.kernel.mu.Lock()
	defer s.kernel.mu.Unlock()
	delete(s.groups, group)
	return nil
}

// SetReadDeadline wakes who waits if t has passed. Other times are as good as
// none.
func (s *socket) SetReadDeadline(t time.Time) error {
	s.kernel.mu.Lock()
	defer s.kernel.mu.Unlock()
	s.deadline = !t.IsZero() && t.Before(time.Now())
	s.changed.Broadcast()
	return nil
}

// SetDeadline is SetReadDeadline: nothing waits to be sent.
func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// SetWriteDeadline does nothing.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer does nothing: queues have no limit.
func (s *socket) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing.
func (s *socket) SetWriteBuffer(int) error { return nil }

// ReadBuffer returns no size of interest.
func (s *socket) ReadBuffer() (int, error) { return 0, nil }

// WriteBuffer returns no size of interest.
func (s *socket) WriteBuffer() (int, error) { return 0, nil }
