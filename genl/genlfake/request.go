// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"mbchain/chain"
	"mbchain/genl"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
)

// refusal is an errno with its explanation.
type refusal struct {
	errno   syscall.Errno
	message string
}

func (r refusal) Error() string { return fmt.Sprintf("%v: %s", r.errno, r.message) }

// attrs says for each attribute that a request may hold how to read it.
type attrs map[uint16]func(a netlink.Attribute) error

// parse reads a request as strictly as the module does.
func parse(b []byte, known attrs) error {
	all, err := netlink.UnmarshalAttributes(b)
	if err != nil {
		return refusal{syscall.EINVAL, "malformed attributes"}
	}
	for _, a := range all {
		read, ok := known[a.Type&^(netlink.Nested|netlink.NetByteOrder)]
		if !ok {
			return refusal{syscall.EINVAL, "Unknown attribute type"}
		}
		if err := read(a); err != nil {
			return err
		}
	}
	return nil
}

// What the kernel says of a length that is not the type's, and of one outside
// the range of an attribute without a type.
var (
	errLength = refusal{syscall.EINVAL, "attribute length mismatch"}
	errSize   = refusal{syscall.ERANGE, "binary attribute size out of range"}
	errFailed = refusal{syscall.EINVAL, "Attribute failed policy validation"}
)

func nested(known func() (attrs, func() error)) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if a.Type&netlink.Nested == 0 {
			return refusal{syscall.EINVAL, "NLA_F_NESTED is missing"}
		}
		k, done := known()
		if err := parse(a.Data, k); err != nil {
			return err
		}
		return done()
	}
}

// seen notes that an attribute was there.
func seen(flag *bool, read func(netlink.Attribute) error) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		*flag = true
		return read(a)
	}
}

func exactly(dst []byte) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) != len(dst) {
			return errSize
		}
		copy(dst, a.Data)
		return nil
	}
}

// plan is that of a migration.
func plan(dst *[]byte) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) == 0 || len(a.Data) > genl.MaxPlan {
			return errSize
		}
		*dst = slices.Clone(a.Data)
		return nil
	}
}

func number[T uint8 | uint16 | uint32 | uint64](dst *T) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) != binary.Size(*dst) {
			return errLength
		}
		_, err := binary.Decode(a.Data, binary.NativeEndian, dst)
		return err
	}
}

func flag(dst *bool) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) != 0 {
			return errLength
		}
		*dst = true
		return nil
	}
}

// inRange is a number that must lie in a range.
func inRange[T uint8 | uint16 | uint32](lo, hi T, set func(T)) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		var v T
		if err := number(&v)(a); err != nil {
			return err
		}
		if v < lo || v > hi {
			return refusal{syscall.ERANGE, "integer out of range"}
		}
		set(v)
		return nil
	}
}

func text(dst *string, most int) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		s, ok := bytes.CutSuffix(a.Data, []byte{0})
		if !ok || len(s) == 0 || len(s) > most || bytes.IndexByte(s, 0) >= 0 {
			return errFailed
		}
		*dst = string(s)
		return nil
	}
}

func addr4(dst *netip.Addr) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) != 4 {
			return errLength
		}
		return host(dst, a.Data)
	}
}

func addr6(dst *netip.Addr) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) != 16 {
			return errSize
		}
		return host(dst, a.Data)
	}
}

// host reads an address if mbc_addr_valid() of kmod/tuple.c lets it pass.
func host(dst *netip.Addr, b []byte) error {
	a, _ := netip.AddrFromSlice(b)
	if chain.CheckHost(a) != nil {
		return refusal{syscall.EINVAL, "not the address of a host"}
	}
	*dst = a
	return nil
}

func numbers16(dst *[]uint16, most int) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data)/2 > most {
			return refusal{syscall.ERANGE, errFailed.message}
		}
		if len(a.Data)%2 != 0 {
			return refusal{syscall.EINVAL, "not an array of u16"}
		}
		for b := a.Data; len(b) > 0; b = b[2:] {
			*dst = append(*dst, binary.NativeEndian.Uint16(b))
		}
		return nil
	}
}

func program(dst *[]bpf.RawInstruction, most int) func(netlink.Attribute) error {
	return func(a netlink.Attribute) error {
		if len(a.Data) < 8 || len(a.Data) > 8*most {
			return errSize
		}
		if len(a.Data)%8 != 0 {
			return refusal{syscall.EINVAL, "not an array of struct sock_filter"}
		}
		for b := a.Data; len(b) > 0; b = b[8:] {
			*dst = append(*dst, bpf.RawInstruction{
				Op: binary.NativeEndian.Uint16(b),
				Jt: b[2],
				Jf: b[3],
				K:  binary.NativeEndian.Uint32(b[4:]),
			})
		}
		return checkProgram(*dst)
	}
}

// checkProgram refuses what no BPF machine runs: jumps out of the program, and
// an end without a return.
func checkProgram(prog []bpf.RawInstruction) error {
	instructions, _ := bpf.Disassemble(prog)
	if _, err := bpf.NewVM(instructions); err != nil {
		return refusal{syscall.EINVAL, "the kernel refuses the program"}
	}
	return nil
}
