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
