// SPDX-License-Identifier: Apache-2.0

package push

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

// A host with addresses of both families gets the rules of both, instances with
// the addresses they have, and the addresses of all hosts.
func TestSubpolicyOfBothFamilies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(`type firewall { fw fd00::2 10.0.0.2 weight 2, fd00::3, 10.0.0.3 }
match(srcip=10.0.0.9) >> {firewall}
match(srcip=fd00::8) >> {firewall}
match(srcip=fd00::9 & dstport=80) >> {firewall}
`)
		_, got := d.connect(registration("client", "10.0.0.9", "fd00::9")).subpolicy()
		want := &proto.Subpolicy{
			Version: 1,
			Types: []*proto.NFType{{Name: "firewall", Instances: []*proto.Instance{
				{Address: "10.0.0.2", Address6: "fd00::2", Weight: 2, Name: "fw"}, {Address6: "fd00::3", Weight: 1}, {Address: "10.0.0.3", Weight: 1},
			}}},
			Rules: []*proto.Rule{
				{Number: 1, Predicate: "srcip=10.0.0.9", Types: []uint32{0}},
				{Number: 3, Predicate: "srcip=fd00::9 & dstport=80", Types: []uint32{0}},
			},
			Hosts: []string{"10.0.0.9", "fd00::9"},
		}
		if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&proto.Subpolicy{}, "seed", "keys")); diff != "" {
			t.Errorf("subpolicy (-want +got):\n%s", diff)
		}
	})
}

// A gateway gets the rules of its clients, of whom nobody knows the addresses.
func TestSubpolicyOfAGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(twoRules)
		r := registration("gateway", "10.0.0.20")
		r.Host.Gateway = true
		_, got := d.connect(r).subpolicy()
		if len(got.Rules) != 2 || len(got.Types) != 2 {
			t.Errorf("subpolicy %v, want two rules and two types", got)
		}
		if hosts := d.hub.Hosts(); len(hosts) != 1 || !hosts[0].Gateway {
			t.Errorf("hosts %v, want one gateway", hosts)
		}
	})
}

// The server's host is told what has to come through its chain, and how instances are
// chosen and chains set up goes to the client's.
func TestSubpolicyOfARequiredRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDomain(t)
		d.policy(`type firewall { 10.0.0.2, 10.0.0.3 } choose round-robin
match(srcip=10.0.0.7) >> {}
match(srcip=10.0.0.8 & dstip=10.0.0.9) >> {firewall} enforce required set-up out-of-band
`)
		control := "proto=udp & dstport=7300 | proto=tcp & dstport=7400"
		for _, tt := range []struct {
			host, address string
			want          *proto.Subpolicy
		}{
			{"client", "10.0.0.8", &proto.Subpolicy{
				Types: []*proto.NFType{{Name: "firewall", Choice: proto.Choice_CHOICE_TURN, Instances: []*proto.Instance{
					{Address: "10.0.0.2", Weight: 1}, {Address: "10.0.0.3", Weight: 1}}}},
				Rules: []*proto.Rule{{Number: 2, Predicate: "srcip=10.0.0.8 & dstip=10.0.0.9", Types: []uint32{0},
					SetUp: proto.SetUpWay_SET_UP_WAY_OUT_OF_BAND}},
			}},
			{"server", "10.0.0.9", &proto.Subpolicy{Guards: []*proto.Guard{
				{Predicate: control}, {Number: 1, Predicate: "srcip=10.0.0.7"}, {Number: 2, Predicate: "srcip=10.0.0.8 & dstip=10.0.0.9", Required: true},
			}}},
		} {
			_, got := d.connect(registration(tt.host, tt.address)).subpolicy()
			if diff := cmp.Diff(tt.want, got, protocmp.Transform(),
				protocmp.IgnoreFields(&proto.Subpolicy{}, "seed", "keys", "version", "hosts")); diff != "" {
				t.Errorf("subpolicy of %s (-want +got):\n%s", tt.host, diff)
			}
		}
	})
}
