// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/policy"
)

func TestCheckHosts(t *testing.T) {
	host := func(name, addresses string, types ...string) policy.Host {
		h := policy.Host{Name: name, NFTypes: types}
		for _, a := range strings.Fields(addresses) {
			h.Addresses = append(h.Addresses, netip.MustParseAddr(a))
		}
		return h
	}
	hosts := []policy.Host{
		host("mb1", "10.0.0.2 fd00::2", "firewall", "ids"),
		host("mb2", "10.0.0.3"),
		host("mb3", "fd00::3 10.0.0.4", "cache"),
	}
	const rule = "match(any) >> {firewall}"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"as declared", "type firewall { 10.0.0.2 fd00::2, 10.0.0.3 }\n" + rule, nil},
		{"no rule uses it", "type firewall { 10.0.0.9 }", nil},
		{"no such host", "type firewall { mb1 10.0.0.2, mb9 10.0.0.9 }\n" + rule,
			[]string{`1:1: warning: mb9 10.0.0.9 of NF type "firewall" is on no host that is known: start agentd there with --address 10.0.0.9, or correct the address`}},
		{"two hosts", "\ntype firewall { mb2 10.0.0.3 fd00::2 }\n" + rule,
			[]string{`2:1: warning: mb2 10.0.0.3 fd00::2 of NF type "firewall" is two hosts: mb2 has the one address and mb1 the other; make two instances of it`}},
		{"one address is nobody's", "type firewall { 10.0.0.3 fd00::9 }\n" + rule,
			[]string{`1:1: warning: fd00::9 of NF type "firewall" is on no host that is known: start agentd there with --address fd00::9, or correct the address`}},
		{"another type, in a document", "document a.policy\ntype firewall { 10.0.0.4 fd00::3 }\n" + rule,
			[]string{`a.policy:1:1: warning: host mb3 does not offer NF type "firewall": start its agentd with --nf-type firewall, or take it out of the type`}},
		{"to be inserted", "type firewall { 10.0.0.2 }\ntype ids { 10.0.0.9 }\n" + rule + " may-insert ids",
			[]string{`2:1: warning: 10.0.0.9 of NF type "ids" is on no host that is known: start agentd there with --address 10.0.0.9, or correct the address`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range mustParse(t, tt.text).CheckHosts(hosts) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		var instances []string
		for i := range policy.MaxErrors + 5 {
			instances = append(instances, fmt.Sprintf("10.9.0.%d", i+1))
		}
		found := mustParse(t, "type firewall { "+strings.Join(instances, ", ")+" }\n"+rule).CheckHosts(hosts)
		if n := len(found); n != policy.MaxErrors+1 || !strings.Contains(found[n-1].Message, "more warnings about hosts follow") {
			t.Errorf("%d warnings: %v", n, found)
		}
	})
}
