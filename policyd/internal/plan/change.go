// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mbchain/proto"
)

const (
	// MaxHosts is how many hosts may leave, and how many may come: the module's
	// limit of 16 hosts in a chain, without the anchors.
	MaxHosts = 14
	// DefaultPatience, MinPatience and MaxPatience are of Change.PatienceMs.
	DefaultPatience = 5000
	MinPatience     = 50
	MaxPatience     = 60000
)

// A Change is what is to become of every session. Hosts are names.
type Change struct {
	Old []string // leave: neighbours, left to right
	New []string // come, left to right

	// Where they come if nobody leaves: exactly one of the two.
	After, Before string

	// At is under which address a host comes; not in it: the first of the session's family.
	At map[string]netip.Addr

	Guarantee  proto.Guarantee
	Method     proto.StateMethod // Old[i]'s state goes to New[i]
	PatienceMs uint32
	Drop       bool // what is held and too much; else the migration is aborted
}

// FromRequest reads the change that r wants, with what it leaves open filled in.
func FromRequest(r *proto.StartMigrationsRequest) (Change, error) {
	c := Change{Guarantee: r.Guarantee, Method: r.StateMethod, PatienceMs: r.PatienceMs, Drop: r.OverflowDrop}
	switch {
	case r.GetInsert() != nil:
		c.New, c.After, c.Before = r.GetInsert().Hosts, r.GetInsert().After, r.GetInsert().Before
		if (c.After == "") == (c.Before == "") {
			return Change{}, errors.New("insert: exactly one of after and before is wanted")
		}
		if len(c.New) == 0 {
			return Change{}, errors.New("insert: no host is given")
		}
	case r.GetRemove() != nil:
		if c.Old = r.GetRemove().Hosts; len(c.Old) == 0 {
			return Change{}, errors.New("remove: no host is given")
		}
	case r.GetReplace() != nil:
		c.Old, c.New = r.GetReplace().From, r.GetReplace().To
		if len(c.Old) == 0 || len(c.New) == 0 {
			return Change{}, errors.New("replace: hosts are wanted in both from and to")
		}
	default:
		return Change{}, errors.New("change: none of insert, remove and replace is given")
	}
	c.fillIn()
	return c, c.check()
}

func (c *Change) fillIn() {
	if c.Guarantee == proto.Guarantee_GUARANTEE_UNSPECIFIED {
		c.Guarantee = proto.Guarantee_GUARANTEE_LOSS_FREE
		if c.Method != proto.StateMethod_STATE_METHOD_UNSPECIFIED {
			c.Guarantee = proto.Guarantee_GUARANTEE_ORDERED
		}
	}
	if c.PatienceMs == 0 {
		c.PatienceMs = DefaultPatience
	}
}

func (c *Change) check() error {
	hosts := c.Concerned()
	for i, h := range hosts {
		if slices.Contains(hosts[:i], h) {
			return fmt.Errorf("hosts: %s is given twice", h)
		}
	}
	moves := c.Method != proto.StateMethod_STATE_METHOD_UNSPECIFIED
	switch {
	case len(c.Old) > MaxHosts || len(c.New) > MaxHosts:
		return fmt.Errorf("hosts: %d, at most %d can leave or come at once", max(len(c.Old), len(c.New)), MaxHosts)
	case c.PatienceMs < MinPatience || c.PatienceMs > MaxPatience:
		return fmt.Errorf("patience_ms: %d is not from %d to %d", c.PatienceMs, MinPatience, MaxPatience)
	case proto.Guarantee_name[int32(c.Guarantee)] == "":
		return fmt.Errorf("guarantee: %d is unknown", c.Guarantee)
	case proto.StateMethod_name[int32(c.Method)] == "":
		return fmt.Errorf("state_method: %d is unknown", c.Method)
	case moves && (len(c.Old) == 0 || len(c.New) == 0):
		return errors.New("state_method: state can move only when hosts are replaced")
	case moves && len(c.Old) != len(c.New):
		return fmt.Errorf("state_method: %d hosts leave and %d come: as many are wanted, for the state of each goes to the one in its place",
			len(c.Old), len(c.New))
	case moves && c.Guarantee == proto.Guarantee_GUARANTEE_LOSS_FREE:
		return errors.New("guarantee: loss-free moves no state, which would change while it is copied: take ordered or substream")
	}
	return nil
}

// Concerned returns the hosts whose records decide: those that leave or stay
// beside the change, then those that come.
func (c *Change) Concerned() []string { return slices.Concat(c.Present(), c.New) }

// Present returns the hosts that a session must pass to be changed.
func (c *Change) Present() []string {
	switch {
	case len(c.Old) > 0:
		return c.Old
	case c.After != "":
		return []string{c.After}
	}
	return []string{c.Before}
}

// String says for people what changes: "mb1 -> mb3", "+ mb2 after client", "- mb1".
func (c *Change) String() string {
	from, to := strings.Join(c.Old, ","), strings.Join(c.New, ",")
	switch {
	case c.After != "":
		return "+ " + to + " after " + c.After
	case c.Before != "":
		return "+ " + to + " before " + c.Before
	case to == "":
		return "- " + from
	}
	return from + " -> " + to
}
