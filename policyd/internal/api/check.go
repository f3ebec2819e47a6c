// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/netip"
	"regexp"
	"slices"
	"unicode"

	"mbchain/chain"
	"mbchain/policy"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
	"mbchain/proto/delta"
)

// Bounds of what an agent says. What policyd keeps of 10,000 hosts has to fit
// into memory.
const (
	maxAddresses = 64   // of one host
	maxNFTypes   = 64   // of one host
	maxCounters  = 1024 // the module has a few dozen
	maxText      = 256  // bytes of a text field in a status
	maxError     = 1024 // characters of a refusal
)

var hostName = regexp.MustCompile(`^[a-z0-9.-]{1,63}$`)

func checkHostName(name string) error {
	if !hostName.MatchString(name) {
		return invalid("host: %q is not a name of 1 to 63 characters out of a-z, 0-9, '.' and '-'", name)
	}
	return nil
}

// checkRegistration reads a SubscribeRequest.
func checkRegistration(r *proto.SubscribeRequest) (push.Registration, error) {
	none := push.Registration{}
	if err := checkHostName(r.Host); err != nil {
		return none, err
	}
	addresses, err := hostAddresses(r.Addresses)
	if err != nil {
		return none, err
	}
	if err := checkNFTypes(r.NfTypes); err != nil {
		return none, err
	}
	if err := checkStatus(r.Status); err != nil {
		return none, err
	}
	held := delta.Digest{}
	if n := copy(held[:], r.Held); len(r.Held) != 0 && (n != len(held) || len(r.Held) != n) {
		return none, invalid("held: %d bytes, a digest has %d", len(r.Held), len(held))
	}
	return push.Registration{
		Host:    store.Host{Name: r.Host, Addresses: addresses, NFTypes: r.NfTypes, Gateway: r.Gateway},
		Running: r.RunningVersion,
		Status:  r.Status,

		TakesChanges: r.TakesChanges,
		Held:         held,
	}, nil
}

func hostAddresses(texts []string) ([]netip.Addr, error) {
	if len(texts) == 0 {
		return nil, invalid("addresses: none is given")
	}
	if len(texts) > maxAddresses {
		return nil, invalid("addresses: %d, at most %d are allowed", len(texts), maxAddresses)
	}
	var list []netip.Addr
	for _, text := range texts {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, invalid("addresses: %q is not an address", text)
		}
		switch err := chain.CheckHost(a); {
		case err != nil:
			return nil, invalid("addresses: %s is %w", a, err)
		case slices.Contains(list, a):
			return nil, invalid("addresses: %s is given twice", a)
		}
		list = append(list, a)
	}
	return list, nil
}

func checkNFTypes(names []string) error {
	if len(names) > maxNFTypes {
		return invalid("nf_types: %d, at most %d are allowed", len(names), maxNFTypes)
	}
	for i, name := range names {
		if name == "" || len(name) > policy.MaxTypeName || !printable(name) {
			return invalid("nf_types: %q is not a name of 1 to %d characters", name, policy.MaxTypeName)
		}
		if slices.Contains(names[:i], name) {
			return invalid("nf_types: %q is given twice", name)
		}
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

// checkStatus bounds a status, which is kept as it is.
func checkStatus(st *proto.HostStatus) error {
	if st == nil {
		return nil
	}
	st.ProtoReflect().SetUnknown(nil)
	st.PolicyError = shorten(st.PolicyError)
	for _, text := range []string{st.Host, st.AgentVersion, st.ModuleVersion, st.Kernel, st.Policyd} {
		if len(text) > maxText {
			return invalid("status: a text of %d bytes, at most %d are allowed", len(text), maxText)
		}
	}
	return nil
}

func checkAnswer(r *proto.AnswerRequest) error {
	if err := checkHostName(r.Host); err != nil {
		return err
	}
	if len(r.Sessions) > maxSessions {
		return invalid("sessions: %d, at most %d are allowed", len(r.Sessions), maxSessions)
	}
	if len(r.Counters) > maxCounters {
		return invalid("counters: %d, at most %d are allowed", len(r.Counters), maxCounters)
	}
	if err := checkMigrations(r.Migrations); err != nil {
		return err
	}
	if n := len(r.GetEndedSessions().GetSkipped()); n > maxResets {
		return invalid("ended_sessions: %d skipped, at most %d are allowed", n, maxResets)
	}
	for _, skip := range r.GetEndedSessions().GetSkipped() {
		if skip.Reason = shorten(skip.Reason); len(skip.Session) != chain.SessionIDLen {
			return invalid("ended_sessions: a session id of %d bytes", len(skip.Session))
		}
	}
	r.Error = shorten(r.Error)
	return checkStatus(r.Status)
}

// shorten cuts a text for people to maxError characters.
func shorten(text string) string {
	n := 0
	for i := range text {
		if n == maxError {
			return text[:i] + "..."
		}
		n++
	}
	return text
}

func checkSessionsRequest(r *proto.ListSessionsRequest) error {
	if len(r.Id) > len(chain.SessionID{}) {
		return invalid("id: %d bytes, a session id has %d", len(r.Id), len(chain.SessionID{}))
	}
	if r.Limit > maxSessions {
		return invalid("limit: %d, at most %d sessions are allowed", r.Limit, maxSessions)
	}
	if r.Host != "" {
		return checkHostName(r.Host)
	}
	return nil
}

// fiveTuple reads a session's tuple, client to server.
func fiveTuple(t *proto.Tuple) (chain.FiveTuple, error) {
	none := chain.FiveTuple{}
	if t == nil {
		return none, invalid("tuple: none is given")
	}
	source, err := endpoint("source", t.Source, t.SourcePort)
	if err != nil {
		return none, err
	}
	destination, err := endpoint("destination", t.Destination, t.DestinationPort)
	if err != nil {
		return none, err
	}
	if t.Protocol > 255 {
		return none, invalid("tuple: protocol %d is not from 0 to 255", t.Protocol)
	}
	tuple := chain.FiveTuple{Source: source, Destination: destination, Protocol: uint8(t.Protocol)}
	if err := tuple.Check(); err != nil {
		return none, invalid("tuple: %w", err)
	}
	return tuple, nil
}

func endpoint(name, address string, port uint32) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, invalid("tuple: %s %q is not an address", name, address)
	}
	if port > 65535 {
		return netip.AddrPort{}, invalid("tuple: %s port %d is not from 0 to 65535", name, port)
	}
	return netip.AddrPortFrom(a, uint16(port)), nil
}
