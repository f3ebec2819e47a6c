// SPDX-License-Identifier: Apache-2.0

package nfstate

import (
	"strings"
	"testing"

	"github.com/ti-mo/conntrack"

	"mbchain/chain"
)

func established() conntrack.Flow {
	entry := entryOf(super)
	entry.Timeout, entry.Mark, entry.Labels = 431999, 7, []byte{0, 1, 15: 0}
	entry.Status = conntrack.StatusSeenReply | conntrack.StatusConfirmed | conntrack.StatusAssured
	entry.ProtoInfo.TCP = &conntrack.ProtoInfoTCP{
		State: 3, OriginalWindowScale: 7, ReplyWindowScale: 9, OriginalFlags: 0x2300, ReplyFlags: 0x2700,
	}
	return entry
}

func TestFlowThereAndBack(t *testing.T) {
	state, err := encodeFlow(established())
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeFlow(super, state)
	if err != nil {
		t.Fatal(err)
	}
	want := established()
	if got.TupleOrig != want.TupleOrig || got.TupleReply != want.TupleReply || got.Status != want.Status ||
		got.Timeout != want.Timeout || got.Mark != want.Mark || string(got.Labels) != string(want.Labels) {
		t.Errorf("flow is %+v, want %+v", got, want)
	}
	tcp := *want.ProtoInfo.TCP
	tcp.OriginalFlags, tcp.ReplyFlags = 0x2bff, 0x2fff // all flags count, and one says not to mind the window
	if *got.ProtoInfo.TCP != tcp {
		t.Errorf("TCP state is %+v, want %+v", *got.ProtoInfo.TCP, tcp)
	}
}

func TestTranslatedFlowIsNotExported(t *testing.T) {
	entry := established()
	entry.Status |= conntrack.StatusSrcNAT
	if _, err := encodeFlow(entry); err == nil {
		t.Error("an entry that is translated was exported")
	}
}

// States come from other hosts.
func TestFlowsRefused(t *testing.T) {
	const good = `{"version":1,"timeout":60,"assured":true,"tcp":{"state":3,"scale":[7,7],"flags":[0,0]}}`
	if _, err := decodeFlow(super, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string]string{
		"nothing":                "",
		"no JSON":                "\x00",
		"another version":        strings.Replace(good, `"version":1`, `"version":2`, 1),
		"an unknown field":       strings.Replace(good, `"assured"`, `"zone":1,"assured"`, 1),
		"no timeout":             strings.Replace(good, "60", "0", 1),
		"a timeout of years":     strings.Replace(good, "60", "4294967295", 1),
		"an unknown state":       strings.Replace(good, `"state":3`, `"state":10`, 1),
		"too wide a window":      strings.Replace(good, "[7,7]", "[7,15]", 1),
		"no TCP":                 `{"version":1,"timeout":60}`,
		"labels that do not fit": strings.Replace(good, `"assured"`, `"labels":"AAAAAAAAAAAAAAAAAAAAAAAA","assured"`, 1),
	} {
		if _, err := decodeFlow(super, []byte(state)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	udp := super
	udp.Protocol = chain.ProtocolUDP
	if _, err := decodeFlow(udp, []byte(good)); err == nil {
		t.Error("TCP state of a UDP session: taken")
	}
}

func FuzzDecodeFlow(f *testing.F) {
	f.Add([]byte(`{"version":1,"timeout":60,"tcp":{"state":3,"scale":[7,7],"flags":[0,0]}}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		entry, err := decodeFlow(super, state)
		if err == nil && (entry.Timeout == 0 || entry.TupleOrig != entryOf(super).TupleOrig) {
			t.Errorf("entry %+v", entry)
		}
	})
}
