// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"strings"
)

// Group is a named set of addresses, which predicates use in place of one.
type Group struct {
	Name     string
	Members  []Member // at least one
	Line     int      // in the policy text
	Document string   // that the line is of; may be empty
}

// Member is a prefix, or another group.
type Member struct {
	Prefix netip.Prefix // of one address, or of many
	Group  string       // name of another group; empty: Prefix
}

// String returns the statement that declares the group.
func (g *Group) String() string {
	texts := make([]string, len(g.Members))
	for i, m := range g.Members {
		texts[i] = m.String()
	}
	return fmt.Sprintf("group %s { %s }", g.Name, strings.Join(texts, ", "))
}

// String returns the member as a group statement lists it.
func (m Member) String() string {
	if m.Group != "" {
		return m.Group
	}
	return prefixText(m.Prefix)
}
