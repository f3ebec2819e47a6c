// SPDX-License-Identifier: Apache-2.0

package genl

import (
	"context"
	"fmt"

	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// NFMode is how a host's NF gets the packets of the sessions that pass it.
type NFMode uint8

// The modes.
const (
	NFInline   NFMode = uapi.NFInline   // through the host's own stack
	NFTap      NFMode = uapi.NFTap      // copies go to a device; the packets do not wait
	NFRedirect NFMode = uapi.NFRedirect // into one device, back by another
	NFNone     NFMode = uapi.NFNone     // there is none: straight on
)

var nfModeNames = [...]string{NFInline: "inline", NFTap: "tap", NFRedirect: "redirect", NFNone: "none"}

// String returns the mode in lower case.
func (m NFMode) String() string {
	if int(m) < len(nfModeNames) {
		return nfModeNames[m]
	}
	return fmt.Sprintf("nf_mode_%d", uint8(m))
}

// NF is a host's network function: one for a host.
type NF struct {
	Mode NFMode
	// Devices are Ethernet devices of this network namespace. NFTap: the one
	// that copies go to. NFRedirect: the one that packets to the right enter
	// the NF by and the one that they leave it by.
	Devices []string
}

// SetNF says how this host's NF gets its packets, from the next packet on.
// [ErrNoDevice] when a device is not there.
func (c *Client) SetNF(ctx context.Context, nf NF) error {
	request, err := encodeNF(nf)
	if err != nil {
		return fmt.Errorf("set NF: %w", err)
	}
	return c.order(ctx, "set NF", uapi.CmdSetNF, request)
}

func encodeNF(nf NF) ([]byte, error) {
	ae := netlink.NewAttributeEncoder()
	ae.Uint8(uapi.NFAttrMode, uint8(nf.Mode))
	for _, d := range nf.Devices {
		ae.String(uapi.NFAttrDev, d)
	}
	return ae.Encode()
}

func (nf *NF) decode(ad *netlink.AttributeDecoder) {
	switch ad.Type() {
	case uapi.NFAttrMode:
		nf.Mode = NFMode(ad.Uint8())
	case uapi.NFAttrDev:
		nf.Devices = append(nf.Devices, ad.String())
	}
}
