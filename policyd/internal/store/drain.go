// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"mbchain/identity"
)

// MaxDrains bounds what is drained at once: more than any domain works on.
const MaxDrains = 4096

// maxDrainType is the longest name of an NF type, in bytes: policy.MaxTypeName.
const maxDrainType = 31

// Drain has the instances that a host is get no new sessions, until it is ended. It
// outlives the host's record: a host that comes back is drained still.
type Drain struct {
	Host        string `json:"host"`
	Type        string `json:"type,omitempty"` // of that NF type alone; empty: of all
	By          string `json:"by,omitempty"`   // who asked for it
	SinceUnixMS int64  `json:"since_unix_ms"`
}

// SetDrain begins a drain, or ends it. A host that is drained as a whole needs none of
// a type, and the end of that ends those of its types, too.
type SetDrain struct {
	Drain Drain `json:"drain"`
	End   bool  `json:"end,omitempty"`
}

func (d Drain) check() error {
	if err := identity.CheckName(d.Host); err != nil {
		return err
	}
	if len(d.Type) > maxDrainType || !utf8.ValidString(d.Type) {
		return fmt.Errorf("drain of NF type %q", d.Type)
	}
	if len(d.By) > MaxBy || !utf8.ValidString(d.By) {
		return fmt.Errorf("drained by %d bytes", len(d.By))
	}
	return nil
}

func compareDrains(a, b Drain) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Type, b.Type))
}

// Drained returns the drain that an instance of a type on a host is under.
func (s *State) Drained(host, nfType string) (Drain, bool) {
	for _, name := range []string{"", nfType} {
		if i, found := slices.BinarySearchFunc(s.Drains, Drain{Host: host, Type: name}, compareDrains); found {
			return s.Drains[i], true
		}
	}
	return Drain{}, false
}

// setDrain returns nil when nothing changes.
func (s *State) setDrain(c *SetDrain) (*State, error) {
	under, drained := s.Drained(c.Drain.Host, c.Drain.Type)
	next := *s
	switch {
	case c.End && c.Drain.Type == "":
		next.Drains = s.drainsWithout(func(d Drain) bool { return d.Host == c.Drain.Host })
		if len(next.Drains) == len(s.Drains) {
			return nil, nil
		}
	case c.End && !drained:
		return nil, nil
	case c.End && under.Type == "":
		return nil, fmt.Errorf("%w: %s; undrain all of it", ErrDrainedWhole, under.Host)
	case c.End:
		next.Drains = s.drainsWithout(func(d Drain) bool { return compareDrains(d, under) == 0 })
	case drained && under.Type == c.Drain.Type, drained && under.Type == "":
		return nil, nil
	case len(s.Drains) >= MaxDrains:
		return nil, fmt.Errorf("%w: %d are drained", ErrFull, len(s.Drains))
	default:
		i, _ := slices.BinarySearchFunc(s.Drains, c.Drain, compareDrains)
		next.Drains = slices.Insert(slices.Clone(s.Drains), i, c.Drain)
	}
	return &next, nil
}

func (s *State) drainsWithout(f func(Drain) bool) []Drain {
	return slices.DeleteFunc(slices.Clone(s.Drains), f)
}

// checkDrains refuses what setDrain cannot have made.
func checkDrains(list []Drain) error {
	if len(list) > MaxDrains {
		return fmt.Errorf("%d drains", len(list))
	}
	for i, d := range list {
		if err := d.check(); err != nil {
			return err
		}
		if i > 0 && compareDrains(list[i-1], d) >= 0 {
			return fmt.Errorf("drain of %s is out of order", d.Host)
		}
	}
	return nil
}
