// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// ruleSet is rules as an operator would write them: networks, ports, ranges of
// ports. None of them matches a packet of a bench, but for the last one.
type ruleSet struct {
	n    int
	last string // in place of the last one, unless it is empty
}

// predicates are the rules, for a family.
func (r ruleSet) predicates(f *family) []string {
	ports := []string{"80", "443", "8080", "5432", "25", "9000-9099"}
	here, there := "172.16.%d.0/24", "192.%d.%d.0/24"
	if f == ipv6 {
		here, there = "fd01:0:%x::/48", "fd00:%x:%x::/48"
	}
	rules := make([]string, r.n)
	for i := range rules {
		hi, lo := i/256, i%256
		rules[i] = "dstip=" + fmt.Sprintf(there, hi, lo)
		if i%4 == 3 {
			rules[i] += " & srcip=" + fmt.Sprintf(here, lo)
		} else {
			rules[i] += " & dstport=" + ports[i%len(ports)]
		}
	}
	if r.last != "" {
		rules[r.n-1] = r.last
	}
	return rules
}
