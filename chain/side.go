// SPDX-License-Identifier: Apache-2.0

package chain

import "fmt"

// Role is a host's place in the chain of one session (enum mbc_role).
type Role uint8

// The roles. Append-only: the numbers are the kernel's.
const (
	RoleUnspecified Role = iota
	RoleClient           // first host: begins the session, chooses the chain
	RoleMiddle           // carries an NF
	RoleServer           // last host: hands the session to its application
)

var roleNames = [...]string{"unspecified", "client", "middle", "server"}

// String returns "client", "middle" or "server".
func (r Role) String() string { return name("role", roleNames[:], uint8(r)) }

// Side tells the two subsessions of a host apart.
type Side uint8

// The sides.
const (
	Left  Side = iota // toward the client
	Right             // toward the server
)

var sideNames = [...]string{"left", "right"}

// String returns "left" or "right".
func (s Side) String() string { return name("side", sideNames[:], uint8(s)) }

// Opposite returns the other side.
func (s Side) Opposite() Side { return s ^ 1 }

// Direction is the way in which a packet travels (enum mbc_dir).
type Direction uint8

// The directions.
const (
	Rightward Direction = iota // client to server
	Leftward                   // server to client
)

var directionNames = [...]string{"rightward", "leftward"}

// String returns "rightward" or "leftward".
func (d Direction) String() string { return name("direction", directionNames[:], uint8(d)) }

// Opposite returns the other direction.
func (d Direction) Opposite() Direction { return d ^ 1 }

// From returns the side on which a host receives a packet that travels in
// this direction.
func (d Direction) From() Side { return Side(d) }

// To returns the side on which a host sends it on.
func (d Direction) To() Side { return Side(d ^ 1) }

func name(noun string, names []string, n uint8) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%s(%d)", noun, n)
}
