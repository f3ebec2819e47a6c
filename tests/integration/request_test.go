// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/binary"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"mbchain/chain"
	"mbchain/genl"
)

// Numbers of kmod/uapi/mbchain.h, as a program that is not genl knows them.
const (
	cmdGetInfo = iota + 1
	cmdSetConfig
	cmdSetKeys
	cmdPolicyBegin
	cmdPolicyAdd
	cmdPolicyCommit
	cmdGetPolicy
	cmdGetRule
	cmdGetSession
	cmdDelSession
	cmdGetStats
)

const (
	attrVersion  = 2 // MBC_POLICY_A_*
	attrSeed     = 3
	attrType     = 4
	attrRule     = 5
	attrProg     = 6
	attrHost     = 7
	attrUnknown  = 99
	attrTypeName = 1 // MBC_TYPE_A_*
	attrInstance = 2
	attrAddress  = 1 // MBC_INSTANCE_A_*
	attrWeight   = 2
	attrRuleID   = 2 // MBC_RULE_A_*
	attrFailure  = 3
	attrTypes    = 4
	attrKey      = 1 // MBC_KEYS_A_*
	attrKeyID    = 1 // MBC_KEY_A_*
	attrSecret   = 2
	attrSession  = 2 // MBC_SESSION_A_ID
)

// socket is a connection to the module, below genl.
type socket struct {
	conn   *genetlink.Conn
	family genetlink.Family
}

func openSocket() (*socket, error) {
	conn, err := genl.Dial()
	if err != nil {
		return nil, err
	}
	family, err := conn.GetFamily("mbchain")
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &socket{conn: conn, family: family}, nil
}

func (s *socket) command(cmd uint8, flags netlink.HeaderFlags, attrs []byte) error {
	_, err := s.conn.Execute(genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: s.family.Version}, Data: attrs,
	}, s.family.ID, netlink.Request|netlink.Acknowledge|flags)
	return err
}

// attr is one attribute, coded; attrs and nest are several.
func attr(kind uint16, data []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(data)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, data...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

func attrs(list ...[]byte) (b []byte) {
	for _, a := range list {
		b = append(b, a...)
	}
	return b
}

func nest(kind uint16, list ...[]byte) []byte { return attr(kind|unix.NLA_F_NESTED, attrs(list...)) }

func u8(kind uint16, n uint8) []byte   { return attr(kind, []byte{n}) }
func u16(kind uint16, n uint16) []byte { return attr(kind, binary.NativeEndian.AppendUint16(nil, n)) }
func u32(kind uint16, n uint32) []byte { return attr(kind, binary.NativeEndian.AppendUint32(nil, n)) }
func u64(kind uint16, n uint64) []byte { return attr(kind, binary.NativeEndian.AppendUint64(nil, n)) }
func text(kind uint16, s string) []byte {
	return attr(kind, append([]byte(s), 0))
}

func secret(n int) []byte { return attr(attrSecret, make([]byte, n)) }

var (
	goodVersion  = u64(attrVersion, 77)
	goodSeed     = attr(attrSeed, make([]byte, genl.KeyLen))
	goodInstance = nest(attrInstance, attr(attrAddress, []byte{10, 8, 0, 2}), u32(attrWeight, 1))
	goodType     = nest(attrType, text(attrTypeName, "firewall"), goodInstance)
	goodKey      = nest(attrKey, u32(attrKeyID, 1), secret(genl.KeyLen))
	goodSession  = attr(attrSession, make([]byte, chain.SessionIDLen))
)
