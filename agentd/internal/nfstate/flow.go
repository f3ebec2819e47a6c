// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ti-mo/conntrack"

	"mbchain/chain"
)

// flow is what moves of an entry of connection tracking. The window is not in it, for the
// kernel does not tell it. The other host's kernel learns it anew; until it has, it would
// take packets for invalid that are not, so it is told not to judge by the window.
type flow struct {
	Version int    `json:"version"` // flowVersion
	Timeout uint32 `json:"timeout"` // seconds that it lives without a packet
	Assured bool   `json:"assured"`
	Mark    uint32 `json:"mark,omitempty"`
	Labels  []byte `json:"labels,omitempty"`
	TCP     *tcp   `json:"tcp,omitempty"`
}

// tcp is the kernel's TCP state of it: enum tcp_conntrack, window scales and flags by
// direction.
type tcp struct {
	State uint8     `json:"state"`
	Scale [2]uint8  `json:"scale"`
	Flags [2]uint16 `json:"flags"`
}

const (
	flowVersion = 1
	maxTimeout  = 10 * 24 * 3600 // seconds; the kernel's default is five days
	maxScale    = 14             // RFC 7323
	maxLabels   = 16             // bytes
	maxTCPState = 9              // TCP_CONNTRACK_SYN_SENT2

	liberal = 0x0800 // IP_CT_TCP_FLAG_BE_LIBERAL

	// What an NF's own translation leaves in the status of an entry.
	translated = conntrack.StatusSrcNAT | conntrack.StatusDstNAT
)

var errTranslated = errors.New("the entry is translated: the address is of this host alone")

// entryOf is the entry of a session with nothing in it but its tuples.
func entryOf(super chain.FiveTuple) conntrack.Flow {
	return conntrack.NewFlow(super.Protocol, 0, super.Source.Addr(), super.Destination.Addr(),
		super.Source.Port(), super.Destination.Port(), 0, 0)
}

// withConntrack opens connection tracking of this network namespace for do.
func withConntrack(do func(*conntrack.Conn) error) (err error) {
	c, err := conntrack.Dial(nil)
	if err != nil {
		return fmt.Errorf("open connection tracking: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(c)
}

func exportFlow(super chain.FiveTuple) ([]byte, error) {
	entry, err := get(super)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoState
	}
	if err != nil {
		return nil, fmt.Errorf("get flow: %w", err)
	}
	return encodeFlow(entry)
}

func encodeFlow(entry conntrack.Flow) ([]byte, error) {
	if entry.Status&translated != 0 {
		return nil, errTranslated
	}
	f := flow{
		Version: flowVersion, Timeout: max(entry.Timeout, 1), Mark: entry.Mark,
		Assured: entry.Status&conntrack.StatusAssured != 0,
	}
	if bytes.IndexFunc(entry.Labels, func(r rune) bool { return r != 0 }) >= 0 {
		f.Labels = entry.Labels
	}
	if t := entry.ProtoInfo.TCP; t != nil {
		f.TCP = &tcp{
			State: t.State, Scale: [2]uint8{t.OriginalWindowScale, t.ReplyWindowScale},
			Flags: [2]uint16{t.OriginalFlags, t.ReplyFlags},
		}
	}
	return json.Marshal(f)
}

// decodeFlow returns the entry that another host says a session has.
func decodeFlow(super chain.FiveTuple, state []byte) (conntrack.Flow, error) {
	var f flow
	d := json.NewDecoder(bytes.NewReader(state))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return conntrack.Flow{}, fmt.Errorf("state of connection tracking: %w", err)
	}
	isTCP := super.Protocol == chain.ProtocolTCP
	switch {
	case f.Version != flowVersion:
		return conntrack.Flow{}, fmt.Errorf("state of connection tracking: version %d, want %d", f.Version, flowVersion)
	case f.Timeout == 0 || f.Timeout > maxTimeout:
		return conntrack.Flow{}, fmt.Errorf("state of connection tracking: timeout of %d s", f.Timeout)
	case len(f.Labels) > maxLabels:
		return conntrack.Flow{}, fmt.Errorf("state of connection tracking: %d bytes of labels", len(f.Labels))
	case isTCP != (f.TCP != nil):
		return conntrack.Flow{}, errors.New("state of connection tracking: of another protocol")
	case isTCP && (f.TCP.State > maxTCPState || max(f.TCP.Scale[0], f.TCP.Scale[1]) > maxScale):
		return conntrack.Flow{}, fmt.Errorf("state of connection tracking: TCP state %d, window scales %v", f.TCP.State, f.TCP.Scale)
	}
	entry := entryOf(super)
	entry.Timeout, entry.Mark, entry.Labels = f.Timeout, f.Mark, f.Labels
	entry.Status = conntrack.StatusSeenReply | conntrack.StatusConfirmed
	if f.Assured {
		entry.Status |= conntrack.StatusAssured
	}
	if isTCP {
		// Each is a byte of flags and, below it, a byte that says which of them count.
		entry.ProtoInfo.TCP = &conntrack.ProtoInfoTCP{
			State: f.TCP.State, OriginalWindowScale: f.TCP.Scale[0], ReplyWindowScale: f.TCP.Scale[1],
			OriginalFlags: allFlags(f.TCP.Flags[0]), ReplyFlags: allFlags(f.TCP.Flags[1]),
		}
	}
	return entry, nil
}

func allFlags(flags uint16) uint16 { return flags | liberal | 0xff }

func importFlow(super chain.FiveTuple, state []byte) error {
	entry, err := decodeFlow(super, state)
	if err != nil {
		return err
	}
	return withConntrack(func(c *conntrack.Conn) error {
		err := c.Create(entry)
		if errors.Is(err, fs.ErrExist) { // of an older packet, or of this order done before
			if err = remove(c, super); err == nil {
				err = c.Create(entry)
			}
		}
		if err != nil {
			return fmt.Errorf("create flow: %w", err)
		}
		return nil
	})
}

func dropFlow(super chain.FiveTuple) error {
	return withConntrack(func(c *conntrack.Conn) error { return remove(c, super) })
}

func remove(c *conntrack.Conn, super chain.FiveTuple) error {
	if err := c.Delete(entryOf(super)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete flow: %w", err)
	}
	return nil
}
