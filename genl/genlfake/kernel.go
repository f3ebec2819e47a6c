// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// Version is the module version that a Kernel reports.
const Version = "genlfake"

// firstPort is the port of the first subsession that a Kernel opens by itself.
const firstPort = 40000

// sessionBytes is the memory of a session that a Kernel reports.
const sessionBytes = 1024

// tableBytes is the memory of the tables that a Kernel reports.
const tableBytes = 8192

// A Command is a command of the module, for [Kernel.Refuse].
type Command uint8

// The commands.
const (
	GetInfo       Command = uapi.CmdGetInfo
	SetConfig     Command = uapi.CmdSetConfig
	SetKeys       Command = uapi.CmdSetKeys
	PolicyBegin   Command = uapi.CmdPolicyBegin
	PolicyAdd     Command = uapi.CmdPolicyAdd
	PolicyCommit  Command = uapi.CmdPolicyCommit
	GetPolicy     Command = uapi.CmdGetPolicy
	GetRule       Command = uapi.CmdGetRule
	GetSession    Command = uapi.CmdGetSession
	DeleteSession Command = uapi.CmdDelSession
	GetStats      Command = uapi.CmdGetStats
	NewSession    Command = uapi.CmdNewSession
	SetSession    Command = uapi.CmdSetSession
	GetPeer       Command = uapi.CmdGetPeer
	SetNF         Command = uapi.CmdSetNF

	LockSession    Command = uapi.CmdLockSession
	BeginMigration Command = uapi.CmdBeginMigration
	Pause          Command = uapi.CmdPause
	Mark           Command = uapi.CmdMark
	SwitchPath     Command = uapi.CmdSwitchPath
	EndMigration   Command = uapi.CmdEndMigration
	GetMigration   Command = uapi.CmdGetMigration
	SetHops        Command = uapi.CmdSetHops
)

// A Kernel is one network namespace with the module in it.
type Kernel struct {
	mu      sync.Mutex
	sockets map[*socket]bool
	nextPID uint32

	familyID uint16 // of the module, or of the next one
	loaded   bool
	refusals map[Command][]refusal
	breaks   int // dumps still to be interrupted
	silent   bool

	config   genl.Config
	keys     []genl.Key
	policy   *genl.Policy // in force
	hits     []uint64     // by rule of policy
	loader   *socket      // who loads a policy, nil: nobody
	loading  *genl.Policy
	sessions []genl.Session
	peers    []genl.Peer
	moving   map[chain.SessionID]*migration
	nf       genl.NF
	devices  []string // what there are
	port     uint16   // of the last subsession that was opened
	counters map[genl.Reason]uint64
}

// New returns a kernel with the module loaded, and nothing in it but the
// default configuration.
func New() *Kernel {
	k := &Kernel{
		sockets:  make(map[*socket]bool),
		familyID: 0x20,
		refusals: make(map[Command][]refusal),
	}
	k.Load()
	return k
}

// Dial opens a connection; it is a [genl.Dialer].
func (k *Kernel) Dial() (*genetlink.Conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nextPID++
	s := newSocket(k, k.nextPID)
	k.sockets[s] = true
	return genetlink.NewConn(netlink.NewConn(s, s.pid)), nil
}

// Load loads the module, empty, if it is not there.
func (k *Kernel) Load() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.loaded {
		return
	}
	k.loaded = true
	k.config = genl.Config{
		MaxSessions:  1 << 20,
		SYNTimeout:   2 * time.Minute,
		IdleTimeout:  124 * time.Minute,
		CloseTimeout: 10 * time.Second,
		Freshness:    30 * time.Second,
		PortMin:      1024,
		PortMax:      65535,

		UDPTimeout:       30 * time.Second,
		UDPStreamTimeout: 5 * time.Minute,
		SetupTimeout:     5 * time.Second,
		Gateway:          new(bool),
	}
	k.keys, k.policy, k.hits = nil, nil, nil
	k.loader, k.loading = nil, nil
	k.sessions, k.peers = nil, nil
	k.moving = make(map[chain.SessionID]*migration)
	k.nf = genl.NF{}
	k.port = firstPort - 1
	k.counters = make(map[genl.Reason]uint64)
}

// Unload unloads the module. Connections stay, as they do in a real kernel, and
// get no answer from the module but that it is gone.
func (k *Kernel) Unload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.loaded {
		return
	}
	k.loaded = false
	k.familyID++
	for s := range k.sockets {
		clear(s.groups)
	}
}

// Refuse makes the next command of this kind fail with errno and, unless it is
// empty, the message. Calls add up.
func (k *Kernel) Refuse(c Command, errno syscall.Errno, message string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refusals[c] = append(k.refusals[c], refusal{errno, message})
}

// Silence makes the module leave requests without an answer, or answer again.
func (k *Kernel) Silence(silent bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.silent = silent
}

// InterruptDumps makes the next n dumps say that they are inconsistent.
func (k *Kernel) InterruptDumps(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.breaks = n
}

// LoseEvents makes every connection that listens find out that events were
// lost, after those that it has not read yet.
func (k *Kernel) LoseEvents() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.sockets {
		if len(s.groups) > 0 {
			s.deliver(datagram{err: syscall.ENOBUFS})
		}
	}
}

// AddSession installs a session and tells listeners, of its set-up too if it
// waits for that. It panics when there is one of that id.
func (k *Kernel) AddSession(s genl.Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.find(s.ID) >= 0 {
		panic(fmt.Sprintf("genlfake: session %v is there already", s.ID))
	}
	k.install(s)
	if s.Setup == chain.SetupWaiting {
		k.multicast(uapi.CmdEventSetup, encodeSession(&s, genl.ReasonNone))
	}
}

func (k *Kernel) install(s genl.Session) {
	k.sessions = append(k.sessions, s)
	k.multicast(uapi.CmdEventSessionNew, encodeSession(&s, genl.ReasonNone))
}

// UpdateSession replaces the session of the same id: its state, its counters.
// Listeners are told if it begins to wait. It panics when there is none.
func (k *Kernel) UpdateSession(s genl.Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := k.find(s.ID)
	if i < 0 {
		panic(fmt.Sprintf("genlfake: session %v is not there", s.ID))
	}
	waited := k.sessions[i].Setup == chain.SetupWaiting
	k.sessions[i] = s
	if s.Setup == chain.SetupWaiting && !waited {
		k.multicast(uapi.CmdEventSetup, encodeSession(&s, genl.ReasonNone))
	}
}

// SetupListened reports whether anybody undertook to set sessions up
// out-of-band.
func (k *Kernel) SetupListened() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.sockets {
		if s.groups[setupGroup] {
			return true
		}
	}
	return false
}

// Sessions returns all sessions, in the order of their beginning.
func (k *Kernel) Sessions() []genl.Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sessions)
}

// SetPeers says to which neighbours SYNs with payload do not pass.
func (k *Kernel) SetPeers(peers []genl.Peer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.peers = slices.Clone(peers)
}

// EndSession removes a session, counts the reason and tells listeners. It
// reports whether the session was there.
func (k *Kernel) EndSession(id chain.SessionID, why genl.Reason) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.end(id, why)
}

// Count adds n to a counter.
func (k *Kernel) Count(r genl.Reason, n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counters[r] += n
}

// Hit adds n to the hits of the running policy's rule of this index, from 0.
func (k *Kernel) Hit(rule int, n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hits[rule] += n
}

// Policy returns the policy in force, nil when none was loaded. It must not be
// changed.
func (k *Kernel) Policy() *genl.Policy {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.policy
}

// Keys returns the set-up keys.
func (k *Kernel) Keys() []genl.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys)
}

// Config returns the configuration.
func (k *Kernel) Config() genl.Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.config
}

// Connections returns how many connections are open.
func (k *Kernel) Connections() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.sockets)
}

func (k *Kernel) find(id chain.SessionID) int {
	return slices.IndexFunc(k.sessions, func(s genl.Session) bool { return s.ID == id })
}

func (k *Kernel) end(id chain.SessionID, why genl.Reason) bool {
	i := k.find(id)
	if i < 0 {
		return false
	}
	s := k.sessions[i]
	k.sessions = slices.Delete(k.sessions, i, i+1)
	delete(k.moving, id)
	k.counters[why]++
	k.multicast(uapi.CmdEventSessionEnd, encodeSession(&s, why))
	return true
}
