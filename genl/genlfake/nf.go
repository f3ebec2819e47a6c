// SPDX-License-Identifier: Apache-2.0

package genlfake

import (
	"slices"
	"syscall"

	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// SetDevices says which Ethernet devices there are; at first there are none. An
// NF loses those of its devices that go, as in the module.
func (k *Kernel) SetDevices(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.devices = names
	k.nf.Devices = slices.DeleteFunc(k.nf.Devices, func(d string) bool { return !slices.Contains(names, d) })
}

// NF returns how the host's NF gets its packets.
func (k *Kernel) NF() genl.NF {
	k.mu.Lock()
	defer k.mu.Unlock()
	return genl.NF{Mode: k.nf.Mode, Devices: slices.Clone(k.nf.Devices)}
}

func (k *Kernel) setNF(_ *socket, b []byte, _ bool) ([][]byte, error) {
	var (
		nf    genl.NF
		moded bool
	)
	err := parse(b, attrs{
		uapi.NFAttrMode: seen(&moded, inRange(uint8(uapi.NFInline), uint8(uapi.NFNone), func(v uint8) { nf.Mode = genl.NFMode(v) })),
		uapi.NFAttrDev: func(a netlink.Attribute) error {
			var name string
			if err := text(&name, 15)(a); err != nil {
				return err
			}
			nf.Devices = append(nf.Devices, name)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	if !moded {
		return nil, refusal{syscall.EINVAL, "no mode"}
	}
	if err := k.checkDevices(nf); err != nil {
		return nil, err
	}
	k.nf = nf
	return nil, nil
}

// checkDevices refuses what netlink_nf.c does.
func (k *Kernel) checkDevices(nf genl.NF) error {
	want := map[genl.NFMode]int{genl.NFTap: 1, genl.NFRedirect: 2}[nf.Mode]
	for i, d := range nf.Devices {
		if i == want {
			return refusal{syscall.EINVAL, "too many devices for this mode"}
		}
		if !slices.Contains(k.devices, d) {
			return refusal{syscall.ENODEV, "no such device"}
		}
	}
	if len(nf.Devices) != want || want == 2 && nf.Devices[0] == nf.Devices[1] {
		return refusal{syscall.EINVAL, "tap takes one device, redirect two"}
	}
	return nil
}

func encodeNF(ae *netlink.AttributeEncoder, nf genl.NF) {
	ae.Nested(uapi.InfoAttrNF, func(ae *netlink.AttributeEncoder) error {
		ae.Uint8(uapi.NFAttrMode, uint8(nf.Mode))
		for _, d := range nf.Devices {
			ae.String(uapi.NFAttrDev, d)
		}
		return nil
	})
}
