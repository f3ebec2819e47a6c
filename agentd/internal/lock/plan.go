// SPDX-License-Identifier: Apache-2.0

package lock

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mbchain/chain"
)

const (
	// MaxHosts is how many old hosts a plan may have, and how many new ones: the
	// module's limit of 16 hosts in a chain, without the anchors.
	MaxHosts = 14
	// MinPatience and MaxPatience bound [Plan].Patience.
	MinPatience = 50 * time.Millisecond
	MaxPatience = time.Minute
)

// An ID names one try of a migration: random but for the lowest four bits, which
// count the tries of one wish.
type ID uint64

// tryBits is how many bits of an ID count tries.
const tryBits = 4

// Try returns the id of the same wish's try k, from 0 to 15.
func (id ID) Try(k int) ID { return id&^(1<<tryBits-1) | ID(k) }

// Tries returns which try of its wish this is, from 0 to 15.
func (id ID) Tries() int { return int(id & (1<<tryBits - 1)) }

// String returns the id as 16 hexadecimal digits.
func (id ID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// A Guarantee is what a migration promises of the packets of its session.
type Guarantee uint8

// The guarantees, each with all that the one before it promises.
const (
	LossFree  Guarantee = iota // paper section 5.1
	Ordered                    // 5.2, the paper's order-preserving; TCP only
	Substream                  // 5.3; TCP only
)

func (g Guarantee) String() string {
	return name(g, "loss-free", "ordered", "substream")
}

// A Method is how an NF's state goes from an old host to a new one.
type Method uint8

// The methods.
const (
	None      Method = iota // it does not
	Conntrack               // the flow's entry of the kernel's connection tracking
	Exec                    // a program of the operator's
)

func (m Method) String() string { return name(m, "none", "conntrack", "exec") }

// A Pair says whose NF's state goes to whom.
type Pair struct {
	From, To netip.Addr // an old host, a new host
	Method   Method
}

// A Plan says what one migration changes. It never changes itself, and hosts that
// have it must not change its slices.
type Plan struct {
	ID        ID
	Session   chain.SessionID
	Super     chain.FiveTuple // client to server
	Guarantee Guarantee
	Left      netip.Addr   // anchor
	Right     netip.Addr   // anchor
	Old, New  []netip.Addr // left to right
	State     []Pair
	Patience  time.Duration // from APPROVE to commit, and for which packets are held
	Drop      bool          // drop what is more than may be held; else abort
	// Beyond is hosts right of the right anchor, left to right, as the left one
	// knows them: what a new host says of the session, and no more.
	Beyond []netip.Addr
}

// Check returns nil when p can be carried out, as far as can be told from itself.
func (p Plan) Check() error {
	hosts := slices.Concat([]netip.Addr{p.Left}, p.Old, p.New, []netip.Addr{p.Right})
	for i, h := range hosts {
		if err := chain.CheckHost(h); err != nil {
			return fmt.Errorf("host %s is %w", h, err)
		}
		if slices.Contains(hosts[:i], h) {
			return fmt.Errorf("host %s stands twice in it", h)
		}
	}
	switch {
	case p.Session.IsZero():
		return errors.New("no session id")
	case len(p.Old)+len(p.New) == 0:
		return errors.New("nothing to change")
	case len(p.Old) > MaxHosts || len(p.New) > MaxHosts || len(p.New)+len(p.Beyond) > MaxHosts:
		return fmt.Errorf("%d old, %d new and %d hosts beyond them, %d are the limit", len(p.Old), len(p.New), len(p.Beyond), MaxHosts)
	case p.Guarantee > Substream:
		return fmt.Errorf("%v is unknown", p.Guarantee)
	case p.Guarantee != LossFree && p.Super.Protocol != chain.ProtocolTCP:
		return fmt.Errorf("%v of protocol %s, which promises no order: only loss-free is possible", p.Guarantee, chain.ProtocolName(p.Super.Protocol))
	case p.Patience < MinPatience || p.Patience > MaxPatience:
		return fmt.Errorf("patience of %v", p.Patience)
	}
	for _, h := range append(hosts, p.Beyond...) {
		if chain.FamilyOf(h) != p.Super.Family() {
			return fmt.Errorf("host %s is of another family than the supersession", h)
		}
	}
	if err := p.Super.Check(); err != nil {
		return fmt.Errorf("supersession: %w", err)
	}
	return p.checkState()
}

func (p Plan) checkState() error {
	if len(p.State) > 0 && p.Guarantee == LossFree {
		return errors.New("loss-free moves no state: it would change while it is copied")
	}
	for i, s := range p.State {
		switch {
		case s.Method == None || s.Method > Exec:
			return fmt.Errorf("state moved by method %v", s.Method)
		case !slices.Contains(p.Old, s.From) || !slices.Contains(p.New, s.To):
			return fmt.Errorf("state of %s for %s, which are no old and new host", s.From, s.To)
		case slices.ContainsFunc(p.State[:i], func(o Pair) bool { return o.From == s.From || o.To == s.To }):
			return fmt.Errorf("more than one state of %s or for %s", s.From, s.To)
		}
	}
	return nil
}

// A Role is what a host is in a plan.
type Role uint8

// The roles.
const (
	NoRole Role = iota
	LeftAnchor
	RightAnchor
	OldHost
	NewHost
)

func (r Role) String() string { return name(r, "none", "left", "right", "old", "new") }

// Role returns what the host of this address is in p.
func (p *Plan) Role(host netip.Addr) Role {
	switch {
	case host == p.Left:
		return LeftAnchor
	case host == p.Right:
		return RightAnchor
	case slices.Contains(p.Old, host):
		return OldHost
	case slices.Contains(p.New, host):
		return NewHost
	}
	return NoRole
}

// A Path is one of the two between the anchors.
type Path uint8

// The paths.
const (
	OldPath Path = iota
	NewPath
)

func (p Path) String() string { return name(p, "old", "new") }

// Beside returns the neighbours of host on a path of p, the zero address where
// it has none there.
func (p *Plan) Beside(path Path, host netip.Addr) (left, right netip.Addr) {
	between := p.Old
	if path == NewPath {
		between = p.New
	}
	at := func(i int) netip.Addr {
		switch {
		case i < 0:
			return p.Left
		case i < len(between):
			return between[i]
		}
		return p.Right
	}
	switch i := slices.Index(between, host); {
	case i >= 0:
		return at(i - 1), at(i + 1)
	case host == p.Left:
		return netip.Addr{}, at(0)
	case host == p.Right:
		return at(len(between) - 1), netip.Addr{}
	}
	return netip.Addr{}, netip.Addr{}
}

// name returns the name of value v, or its number if it has none.
func name[T ~uint8](v T, names ...string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("unknown(%d)", uint8(v))
}
