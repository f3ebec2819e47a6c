// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"strings"
)

// Role is what a certificate is for. Append-only.
type Role uint8

// The roles.
const (
	Agent    Role = iota + 1 // a host, in its own name alone
	Policyd                  // a policy server
	Operator                 // a person or program that changes things
	Viewer                   // one that looks
)

var roleNames = map[Role]string{Agent: "agent", Policyd: "policyd", Operator: "operator", Viewer: "viewer"}

// Roles are all there are.
func Roles() []Role { return []Role{Agent, Policyd, Operator, Viewer} }

// String returns the role's word.
func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// ParseRole reads a role's word.
func ParseRole(s string) (Role, error) {
	var names []string
	for _, r := range Roles() {
		if r.String() == s {
			return r, nil
		}
		names = append(names, r.String())
	}
	return 0, fmt.Errorf("read role %q: want one of %s", s, strings.Join(names, ", "))
}
