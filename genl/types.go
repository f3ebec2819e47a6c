// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"fmt"
	"net/netip"
	"time"

	"mbchain/chain"
	"mbchain/genl/internal/uapi"

	"golang.org/x/net/bpf"
)

// Limits of the module.
const (
	KeyLen       = uapi.KeyLen
	MaxKeys      = uapi.MaxKeys
	MaxHops      = uapi.MaxHops
	MaxInstances = uapi.MaxInstances
	MaxTypes     = uapi.MaxTypes
	MaxRules     = uapi.MaxRules
	MaxHosts     = uapi.MaxHosts
	MaxPrograms  = uapi.MaxProgs
	// MaxInstructions is how long one program may be (BPF_MAXINSNS).
	MaxInstructions = 4096
	// MaxTypeName is how long the name of an NF type may be, in bytes.
	MaxTypeName = uapi.TypeNameLen - 1
	// MaxPlan is how long the plan of a migration may be, in bytes.
	MaxPlan = uapi.MaxPlan
)

// ControlPriority is the SO_PRIORITY of sockets whose traffic is never chained:
// those by which agents and policyd speak. To set it takes CAP_NET_ADMIN.
const ControlPriority = uapi.ControlPriority

// Info describes the module in this network namespace.
type Info struct {
	ModuleVersion string
	Family        uint16   // netlink's number of it: another one each time it is loaded
	Sessions      uint32   // live now
	SessionBytes  uint32   // memory of one session, but for its share of TableBytes
	TableBytes    uint64   // memory of the tables that lead to sessions
	PolicyVersion uint64   // 0: none was loaded
	Rules         uint32   // of the running policy
	KeyIDs        []uint32 // the first one signs
	Config        Config
	NF            NF
}

// Config is what can be set. But for Gateway no field may be 0 in the module, so
// a zero field given to [Client.SetConfig] stays as it is.
type Config struct {
	MaxSessions  uint32        // 1 to 16777216
	SYNTimeout   time.Duration // set-up unanswered; 1 s to 10 min, whole ms
	IdleTimeout  time.Duration // established; 1 s to 10 days, whole ms
	CloseTimeout time.Duration // after FIN or RST; 100 ms to 10 min, whole ms
	Freshness    time.Duration // age of a set-up header; 1 s to 1 h, whole s
	PortMin      uint16        // of subsessions; 1024 to 65535
	PortMax      uint16        // PortMin + 63 to 65535
	// Idle time of UDP sessions, of a question and its answer and of what
	// went both ways for more than 2 s; 1 s to 10 days, whole ms.
	UDPTimeout       time.Duration
	UDPStreamTimeout time.Duration
	SetupTimeout     time.Duration // set-up out-of-band; 100 ms to 1 min, whole ms
	// Rules hold for forwarded sessions of hosts without mbchain, too; nil
	// given to SetConfig: as it is.
	Gateway *bool
}

// Secret is a SipHash-2-4 key. It does not print.
type Secret [KeyLen]byte

// Format writes "(secret)" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalText returns "(secret)", for loggers and JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// Key signs and verifies set-up headers.
type Key struct {
	ID     uint32
	Secret Secret
}

// Policy is what one host is to do, compiled. The module checks the whole of
// it; see kmod/uapi/mbchain.h for the limits.
type Policy struct {
	Version uint64
	Seed    [KeyLen]byte // key of the instance choice
	Types   []Type       // numbered from 0
	Rules   []Rule       // numbered from 1 for the programs
	// Programs see an IPv4 packet from its IP header on. The first one is
	// run; what each returns is a rule's number, 0, or names the program
	// that is next, see MBC_ANSWER_GO in kmod/uapi/mbchain.h.
	Programs [][]bpf.RawInstruction
	// Programs6 do the same for IPv6 packets, which they see without
	// extension headers: TCP begins at byte 40.
	Programs6 [][]bpf.RawInstruction
	Hosts     []netip.Addr // addresses of hosts that run mbchain, of both families
	// Guards are rules for sessions whose server is this host, numbered from 1 for
	// their programs, which see what begins such a session and came through no chain.
	Guards         []Guard
	GuardPrograms  [][]bpf.RawInstruction
	GuardPrograms6 [][]bpf.RawInstruction
}

// Guard is a rule for sessions whose server is this host.
type Guard struct {
	ID       uint32 // number in the policy of the whole domain
	Required bool   // what did not come through its chain is dropped
}

// Type is an NF type: a set of interchangeable instances. Without any, sessions meet
// their rule's OnFailure.
type Type struct {
	Name      string // 1 to MaxTypeName bytes
	Choice    Choice
	Instances []Instance
}

// Choice is by what a session gets one of a type's instances.
type Choice uint8

// The choices. In each an instance's weight is its share.
const (
	ByHash   Choice = uapi.ChoiceHash   // of the five-tuple
	BySource Choice = uapi.ChoiceSource // a hash of the client's address
	InTurn   Choice = uapi.ChoiceTurn   // by how many sessions have matched the rule on this host
)

// Instance is one host that offers an NF type. It serves the sessions of those
// families of which it has an address, one at least.
type Instance struct {
	Addr   netip.Addr // IPv4; the zero Addr: none
	Addr6  netip.Addr // IPv6; the zero Addr: none
	Weight uint32     // 1 to 65535
}

// OnFailure is what becomes of a session whose chain cannot be set up.
type OnFailure uint8

// What can become of it.
const (
	Block  OnFailure = uapi.OnFailureBlock  // its packets are dropped
	Bypass OnFailure = uapi.OnFailureBypass // it goes straight to the server
)

// String returns "block" or "bypass".
func (f OnFailure) String() string {
	switch f {
	case Block:
		return "block"
	case Bypass:
		return "bypass"
	}
	return fmt.Sprintf("on_failure_%d", uint8(f))
}

// SetupWay is how the client's host has the chain of a TCP session set up. That of UDP
// is always set up by the agents.
type SetupWay uint8

// The ways.
const (
	SetupAuto      SetupWay = uapi.SetupWayAuto      // in-band, but past neighbours that answer no SYN with payload
	SetupInBand    SetupWay = uapi.SetupWayInBand    // by the header in the SYN
	SetupOutOfBand SetupWay = uapi.SetupWayOutOfBand // by the agents
)

// Rule is one rule of a policy.
type Rule struct {
	ID        uint32 // number in the policy of the whole domain
	OnFailure OnFailure
	Setup     SetupWay
	Types     []uint16 // the chain, left to right, indices into Policy.Types
}

// RuleStatus is a rule of the running policy.
type RuleStatus struct {
	Rule
	Hits uint64 // sessions that it matched
}

// PolicyInfo describes the running policy.
type PolicyInfo struct {
	Version  uint64 // 0: none was loaded
	Seed     [KeyLen]byte
	Types    uint32 // how many
	Rules    uint32
	Programs uint32 // of both families
	Hosts    uint32
}

// Session is this host's part of a session. All its addresses are of one
// family.
type Session struct {
	ID    chain.SessionID
	Role  chain.Role
	State chain.State
	Super chain.FiveTuple // client to server
	Left  *Subsession     // nil at the client
	Right *Subsession     // nil at the server
	// Rule and PolicyVersion say what made the chain; 0 but at the client.
	Rule          uint32
	PolicyVersion uint64
	Hops          []netip.Addr  // hosts right of this one, left to right
	Age           time.Duration // since it was installed
	Idle          time.Duration // since its last packet
	Setup         chain.Setup   // of what is right of this host
	Known         bool          // it stood already, set up in-band; NewSession only
	Leaving       bool          // EndMigration has taken this host out of it
}

// SessionRequest is what the agent of the left neighbour asks for.
type SessionRequest struct {
	ID    chain.SessionID
	Super chain.FiveTuple // client to server
	Left  chain.FiveTuple // the subsession as the left neighbour sends it
	Hops  []netip.Addr    // hosts right of this one, the server last; none: this is it
	Live  bool            // it stands and went another way until now: it waits for nothing
	// Migration is the id of the one by which a Live session comes to this host: a
	// record is made of it, with the role NewHost and the Plan, see LockRequest. 0:
	// none is.
	Migration uint64
	Plan      []byte
}

// Peer is a neighbour to which SYNs with payload do not pass, so that sessions
// to it are set up out-of-band.
type Peer struct {
	Addr     netip.Addr
	Expires  time.Duration // until in-band set-up is tried again
	Sessions uint64        // set up out-of-band since it was noticed
}

// Subsession is the piece of a session between this host and a neighbour.
type Subsession struct {
	Tuple      chain.FiveTuple // client to server, as on the wire here
	InPackets  uint64          // received from that side
	InBytes    uint64          // their IP length
	OutPackets uint64          // sent to that side
	OutBytes   uint64
}

// Counter counts the packets or sessions, since the network namespace came to
// be, that Reason happened to.
type Counter struct {
	Reason Reason
	Name   string // as the module calls it
	Value  uint64
}
