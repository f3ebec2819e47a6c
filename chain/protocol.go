// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"fmt"
	"strconv"
)

// IP protocol numbers that have a name here.
const (
	ProtocolTCP uint8 = 6
	ProtocolUDP uint8 = 17
)

// ProtocolName returns "tcp", "udp", or the number in decimal.
func ProtocolName(protocol uint8) string {
	switch protocol {
	case ProtocolTCP:
		return "tcp"
	case ProtocolUDP:
		return "udp"
	}
	return strconv.Itoa(int(protocol))
}

// ParseProtocol accepts what [ProtocolName] returns: "tcp", "udp" or a decimal
// number from 0 to 255.
func ParseProtocol(s string) (uint8, error) {
	switch s {
	case "tcp":
		return ProtocolTCP, nil
	case "udp":
		return ProtocolUDP, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("parse protocol %q: not tcp, udp or a number from 0 to 255", s)
	}
	return uint8(n), nil
}
