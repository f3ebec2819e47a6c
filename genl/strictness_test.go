// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"bytes"
	"slices"
	"syscall"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/netlink"
)

// conformStrictness sends what must be refused, each with an explanation.
func conformStrictness(t *testing.T, dial genl.Dialer) {
	type attrs = []netlink.Attribute
	var (
		key  = nest(uapi.KeysAttrKey, attr(uapi.KeyAttrID, 1, 0, 0, 0), attr(uapi.KeyAttrSecret, make([]byte, 16)...))
		id   = attr(uapi.SessionAttrID, slices.Repeat([]byte{1}, 16)...)
		five = nest(uapi.SideAttrTuple, attr(uapi.TupleAttrSaddr4, 10, 0, 0, 1), attr(uapi.TupleAttrDaddr4, 10, 0, 0, 2),
			attr(uapi.TupleAttrSport, 1, 2), attr(uapi.TupleAttrDport, 3, 4), attr(uapi.TupleAttrProto, chain.ProtocolUDP))
		super   = netlink.Attribute{Type: uapi.SessionAttrSuper | netlink.Nested, Data: five.Data}
		left    = nest(uapi.SessionAttrLeft, five)
		loopTo0 = attr(uapi.PolicyAttrProg, 5, 0, 0, 0, 255, 255, 255, 255)
		many    attrs

		migration = attr(uapi.SessionAttrMigration, 1, 0, 0, 0, 0, 0, 0, 0)
		part      = attr(uapi.SessionAttrPart, uapi.PartLeft)
		plan      = attr(uapi.SessionAttrPlan, 1)
		longPlan  = attr(uapi.SessionAttrPlan, make([]byte, genl.MaxPlan+1)...)
		live      = attr(uapi.SessionAttrLive)
	)
	for range genl.MaxInstances + 1 {
		many = append(many, instance)
	}
	tests := []struct {
		name  string
		cmd   uint8
		attrs attrs
		want  syscall.Errno
	}{
		{"info with an attribute", uapi.CmdGetInfo, attrs{attr(uapi.InfoAttrVersion, 0)}, syscall.EINVAL},
		{"info with an unknown attribute", uapi.CmdGetInfo, attrs{attr(99)}, syscall.EINVAL},
		{"policy with an attribute", uapi.CmdGetPolicy, attrs{version}, syscall.EINVAL},
		{"stats with an attribute", uapi.CmdGetStats, attrs{attr(1)}, syscall.EINVAL},

		{"config, attribute 0", uapi.CmdSetConfig, attrs{attr(0, 1, 0, 0, 0)}, syscall.EINVAL},
		{"config, unknown attribute", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrGateway+1, 1, 0, 0, 0)}, syscall.EINVAL},
		{"config, short", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrFreshness, 1, 0)}, syscall.EINVAL},
		{"config, long", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrFreshness, 1, 0, 0, 0, 0)}, syscall.EINVAL},
		{"config, no sessions", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrMaxSessions, 0, 0, 0, 0)}, syscall.ERANGE},
		{"config, SYN timeout", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrSYNTimeout, 0xe7, 3, 0, 0)}, syscall.ERANGE},
		{"config, idle timeout", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrIdleTimeout, 255, 255, 255, 255)}, syscall.ERANGE},
		{"config, privileged port", uapi.CmdSetConfig, attrs{attr(uapi.ConfigAttrPortMin, 255, 3)}, syscall.ERANGE},

		{"keys, unknown attribute", uapi.CmdSetKeys, attrs{attr(uapi.KeysAttrKey + 1)}, syscall.EINVAL},
		{"key without its flag", uapi.CmdSetKeys, attrs{{Type: uapi.KeysAttrKey, Data: key.Data}}, syscall.EINVAL},
		{"key without id", uapi.CmdSetKeys, attrs{nest(uapi.KeysAttrKey, attr(uapi.KeyAttrSecret, make([]byte, 16)...))}, syscall.EINVAL},
		{"key without secret", uapi.CmdSetKeys, attrs{nest(uapi.KeysAttrKey, attr(uapi.KeyAttrID, 1, 0, 0, 0))}, syscall.EINVAL},
		{"empty key", uapi.CmdSetKeys, attrs{nest(uapi.KeysAttrKey)}, syscall.EINVAL},
		{"key, short secret", uapi.CmdSetKeys, attrs{nest(uapi.KeysAttrKey, attr(uapi.KeyAttrSecret, make([]byte, 15)...))}, syscall.ERANGE},
		{"key, unknown attribute", uapi.CmdSetKeys, attrs{nest(uapi.KeysAttrKey, attr(uapi.KeyAttrSecret+1))}, syscall.EINVAL},
		{"two keys of one id", uapi.CmdSetKeys, attrs{key, key}, syscall.EEXIST},

		{"begin without version", uapi.CmdPolicyBegin, attrs{seed}, syscall.EINVAL},
		{"begin without seed", uapi.CmdPolicyBegin, attrs{version}, syscall.EINVAL},
		{"begin, short version", uapi.CmdPolicyBegin, attrs{attr(uapi.PolicyAttrVersion, 1, 0, 0, 0), seed}, syscall.EINVAL},
		{"begin with a host", uapi.CmdPolicyBegin, attrs{version, seed, host}, syscall.EINVAL},

		{"add a version", uapi.CmdPolicyAdd, attrs{version}, syscall.EINVAL},
		{"add a count", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrNRules, 0, 0, 0, 0)}, syscall.EINVAL},
		{"type without name", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, instance)}, syscall.EINVAL},
		{"type, empty name", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, 0), instance)}, syscall.EINVAL},
		{"type, endless name", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, 'a'), instance)}, syscall.EINVAL},
		{"type, long name", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, append(bytes.Repeat([]byte{'a'}, 32), 0)...), instance)}, syscall.EINVAL},
		{"type, unknown attribute", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrInstance+1))}, syscall.EINVAL},
		{"too many instances", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, append(many, attr(uapi.TypeAttrName, []byte("fw\x00")...))...)}, syscall.E2BIG},
		{"instance without address", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, []byte("fw\x00")...),
			nest(uapi.TypeAttrInstance, attr(uapi.InstanceAttrWeight, 1, 0, 0, 0)))}, syscall.EINVAL},
		{"instance without weight", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, []byte("fw\x00")...),
			nest(uapi.TypeAttrInstance, attr(uapi.InstanceAttrAddr4, 10, 0, 0, 1)))}, syscall.EINVAL},
		{"instance of weight 0", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, []byte("fw\x00")...),
			nest(uapi.TypeAttrInstance, attr(uapi.InstanceAttrAddr4, 10, 0, 0, 1), attr(uapi.InstanceAttrWeight, 0, 0, 0, 0)))}, syscall.ERANGE},
		{"instance of a group", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, []byte("fw\x00")...),
			nest(uapi.TypeAttrInstance, attr(uapi.InstanceAttrAddr4, 224, 0, 0, 1), attr(uapi.InstanceAttrWeight, 1, 0, 0, 0)))}, syscall.EINVAL},
		{"rule without id", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, block, attr(uapi.RuleAttrTypes))}, syscall.EINVAL},
		{"rule without on-failure", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, attr(uapi.RuleAttrTypes))}, syscall.EINVAL},
		{"rule without types", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, block)}, syscall.EINVAL},
		{"rule with hits", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, block, attr(uapi.RuleAttrTypes),
			attr(uapi.RuleAttrHits, make([]byte, 8)...))}, syscall.EINVAL},
		{"rule, unknown on-failure", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, attr(uapi.RuleAttrOnFailure, 2), attr(uapi.RuleAttrTypes))}, syscall.ERANGE},
		{"guard without id", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrGuard, attr(uapi.GuardAttrRequired))}, syscall.EINVAL},
		{"empty guard program", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrGuardProg6)}, syscall.ERANGE},
		{"rule, unknown set-up", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, block, attr(uapi.RuleAttrTypes),
			attr(uapi.RuleAttrSetup, 3))}, syscall.ERANGE},
		{"type, unknown choice", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrType, attr(uapi.TypeAttrName, []byte("fw\x00")...), instance,
			attr(uapi.TypeAttrChoice, 3))}, syscall.ERANGE},
		{"rule, half a type", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, block, attr(uapi.RuleAttrTypes, 0))}, syscall.EINVAL},
		{"rule, too many types", uapi.CmdPolicyAdd, attrs{nest(uapi.PolicyAttrRule, ruleID, block, attr(uapi.RuleAttrTypes, make([]byte, 32)...))}, syscall.ERANGE},
		{"rule of an absent type", uapi.CmdPolicyAdd, attrs{rule}, syscall.EINVAL},
		{"empty program", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrProg)}, syscall.ERANGE},
		{"half an instruction", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrProg, make([]byte, 12)...)}, syscall.EINVAL},
		{"program too long", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrProg, make([]byte, 8*4097)...)}, syscall.ERANGE},
		{"program that jumps back", uapi.CmdPolicyAdd, attrs{loopTo0}, syscall.EINVAL},
		{"program without return", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrProg, make([]byte, 8)...)}, syscall.EINVAL},
		{"short host", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrHost4, 10, 0, 0)}, syscall.EINVAL},
		{"host 0.0.0.0", uapi.CmdPolicyAdd, attrs{attr(uapi.PolicyAttrHost4, 0, 0, 0, 0)}, syscall.EINVAL},
		{"commit without version", uapi.CmdPolicyCommit, nil, syscall.EINVAL},
		{"commit with seed", uapi.CmdPolicyCommit, attrs{version, seed}, syscall.EINVAL},

		{"get session without id", uapi.CmdGetSession, nil, syscall.EINVAL},
		{"get session, short id", uapi.CmdGetSession, attrs{attr(uapi.SessionAttrID, 1)}, syscall.ERANGE},
		{"get session, more than an id", uapi.CmdGetSession, attrs{id, attr(uapi.SessionAttrRole, 1)}, syscall.EINVAL},
		{"delete session without id", uapi.CmdDelSession, nil, syscall.EINVAL},
		{"delete session of role", uapi.CmdDelSession, attrs{attr(uapi.SessionAttrRole, 1)}, syscall.EINVAL},

		{"new session without anything", uapi.CmdNewSession, nil, syscall.EINVAL},
		{"new session without tuples", uapi.CmdNewSession, attrs{id}, syscall.EINVAL},
		{"new session without left tuple", uapi.CmdNewSession, attrs{id, super}, syscall.EINVAL},
		{"new session, left without tuple", uapi.CmdNewSession, attrs{id, super, nest(uapi.SessionAttrLeft)}, syscall.EINVAL},
		{"new session, left with counters", uapi.CmdNewSession, attrs{id, super, nest(uapi.SessionAttrLeft,
			attr(uapi.SideAttrInPackets, make([]byte, 8)...))}, syscall.EINVAL},
		{"new session, empty tuple", uapi.CmdNewSession, attrs{id, nest(uapi.SessionAttrSuper), left}, syscall.EINVAL},
		{"new session, empty hops", uapi.CmdNewSession, attrs{id, super, left, attr(uapi.SessionAttrHops)}, syscall.EINVAL},
		{"new session, half a hop", uapi.CmdNewSession, attrs{id, super, left, attr(uapi.SessionAttrHops, 10, 0)}, syscall.EINVAL},
		{"new session, hops of IPv6", uapi.CmdNewSession, attrs{id, super, left, attr(uapi.SessionAttrHops6, make([]byte, 16)...)}, syscall.EINVAL},
		{"new session of role", uapi.CmdNewSession, attrs{id, super, left, attr(uapi.SessionAttrRole, 1)}, syscall.EINVAL},
		{"set session without id", uapi.CmdSetSession, attrs{attr(uapi.SessionAttrSetup, uapi.SetupDone)}, syscall.EINVAL},
		{"set session without state", uapi.CmdSetSession, attrs{id}, syscall.EINVAL},
		{"set session to wait", uapi.CmdSetSession, attrs{id, attr(uapi.SessionAttrSetup, uapi.SetupWaiting)}, syscall.EINVAL},
		{"set session blocked", uapi.CmdSetSession, attrs{id, attr(uapi.SessionAttrSetup, uapi.SetupBlocked)}, syscall.ERANGE},
		{"set session done, with a reason", uapi.CmdSetSession, attrs{id, attr(uapi.SessionAttrSetup, uapi.SetupDone),
			attr(uapi.SessionAttrEnd, uint8(genl.ReasonNoAnswer), 0, 0, 0)}, syscall.EINVAL},
		{"set session failed, for no reason", uapi.CmdSetSession, attrs{id, attr(uapi.SessionAttrSetup, uapi.SetupFailed),
			attr(uapi.SessionAttrEnd, uint8(genl.ReasonEndFIN), 0, 0, 0)}, syscall.EINVAL},

		{"new session, a migration that does not live", uapi.CmdNewSession, attrs{id, super, left, migration, plan}, syscall.EINVAL},
		{"new session, a migration without a plan", uapi.CmdNewSession, attrs{id, super, left, live, migration}, syscall.EINVAL},
		{"new session, a plan without a migration", uapi.CmdNewSession, attrs{id, super, left, live, plan}, syscall.EINVAL},
		{"new session, a plan too long", uapi.CmdNewSession, attrs{id, super, left, live, migration, longPlan}, syscall.ERANGE},
		{"lock without anything", uapi.CmdLockSession, nil, syscall.EINVAL},
		{"lock without a session", uapi.CmdLockSession, attrs{migration, part, plan}, syscall.EINVAL},
		{"lock without a migration", uapi.CmdLockSession, attrs{id, part, plan}, syscall.EINVAL},
		{"lock without a part", uapi.CmdLockSession, attrs{id, migration, plan}, syscall.EINVAL},
		{"lock without a plan", uapi.CmdLockSession, attrs{id, migration, part}, syscall.EINVAL},
		{"lock, empty plan", uapi.CmdLockSession, attrs{id, migration, part, attr(uapi.SessionAttrPlan)}, syscall.ERANGE},
		{"lock, a plan too long", uapi.CmdLockSession, attrs{id, migration, part, longPlan}, syscall.ERANGE},
		{"lock of a new host", uapi.CmdLockSession, attrs{id, migration, attr(uapi.SessionAttrPart, uapi.PartJoining), plan}, syscall.ERANGE},
		{"lock, short migration", uapi.CmdLockSession, attrs{id, attr(uapi.SessionAttrMigration, 1), part, plan}, syscall.EINVAL},
		{"lock with a path", uapi.CmdLockSession, attrs{id, migration, part, plan, attr(uapi.SessionAttrPath, 0)}, syscall.EINVAL},
		{"begin without a migration", uapi.CmdBeginMigration, attrs{id}, syscall.EINVAL},
		{"begin with a part", uapi.CmdBeginMigration, attrs{id, migration, part}, syscall.EINVAL},
		{"pause without a migration", uapi.CmdPause, attrs{id}, syscall.EINVAL},
		{"pause with a path", uapi.CmdPause, attrs{id, migration, attr(uapi.SessionAttrPath, 0)}, syscall.EINVAL},
		{"pause for no time", uapi.CmdPause, attrs{id, migration, attr(uapi.SessionAttrTime, 0, 0, 0, 0)}, syscall.ERANGE},
		{"pause of no packets", uapi.CmdPause, attrs{id, migration, attr(uapi.SessionAttrPackets, 0, 0, 0, 0)}, syscall.ERANGE},
		{"pause of no bytes", uapi.CmdPause, attrs{id, migration, attr(uapi.SessionAttrBytes, 0, 0, 0, 0)}, syscall.ERANGE},
		{"mark without a migration", uapi.CmdMark, attrs{id}, syscall.EINVAL},
		{"mark with a path", uapi.CmdMark, attrs{id, migration, attr(uapi.SessionAttrPath, 0)}, syscall.EINVAL},
		{"switch without a path", uapi.CmdSwitchPath, attrs{id, migration}, syscall.EINVAL},
		{"switch to no path", uapi.CmdSwitchPath, attrs{id, migration, attr(uapi.SessionAttrPath, 2)}, syscall.ERANGE},
		{"end without a migration", uapi.CmdEndMigration, attrs{id}, syscall.EINVAL},
		{"end with a path", uapi.CmdEndMigration, attrs{id, migration, attr(uapi.SessionAttrPath, 0)}, syscall.EINVAL},
		{"hops without a session", uapi.CmdSetHops, attrs{attr(uapi.SessionAttrHops, 10, 0, 0, 1)}, syscall.EINVAL},
		{"hops with a part", uapi.CmdSetHops, attrs{id, part}, syscall.EINVAL},
	}
	conn, family := rawConn(t, dial)
	if got, message := order(t, conn, family, uapi.CmdPolicyBegin, attrs{version, seed}); got != 0 {
		t.Fatalf("begin policy: %v (%s)", got, message)
	}
	for _, tt := range tests {
		got, message := order(t, conn, family, tt.cmd, tt.attrs)
		if got != tt.want || message == "" {
			t.Errorf("%s: %v (%q), want %v and an explanation", tt.name, got, message, tt.want)
		}
	}
	for _, tt := range []struct {
		name  string
		cmd   uint8
		attrs attrs
	}{
		{"dump of one session", uapi.CmdGetSession, attrs{id}},
		{"dump of rules with an attribute", uapi.CmdGetRule, attrs{ruleID}},
		{"dump of migrations with an attribute", uapi.CmdGetMigration, attrs{id}},
		{"dump of peers with an attribute", uapi.CmdGetPeer, attrs{attr(uapi.PeerAttrAddr4, 10, 0, 0, 1)}},
	} {
		got, message := send(t, conn, family, tt.cmd, netlink.Dump, tt.attrs)
		if got != syscall.EINVAL || message == "" {
			t.Errorf("%s: %v (%q), want %v and an explanation", tt.name, got, message, syscall.EINVAL)
		}
	}
	if got, _ := order(t, conn, family, uapi.CmdEventPolicy, nil); got != syscall.EOPNOTSUPP {
		t.Errorf("event sent as a command: %v, want %v", got, syscall.EOPNOTSUPP)
	}

	// None of it has left a trace.
	for i, step := range []struct {
		cmd   uint8
		attrs attrs
	}{
		{uapi.CmdPolicyAdd, attrs{host}},
		{uapi.CmdPolicyCommit, attrs{version}},
	} {
		if got, message := order(t, conn, family, step.cmd, step.attrs); got != 0 {
			t.Errorf("step %d: %v (%s)", i, got, message)
		}
	}
	client := newClient(t, dial)
	info, err := client.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Types != 0 || info.Rules != 0 || info.Programs != 0 || info.Hosts != 1 {
		t.Errorf("policy: %+v, want one host and nothing else", info)
	}
}
