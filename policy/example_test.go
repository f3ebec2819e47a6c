// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"errors"
	"fmt"
	"net/netip"

	"mbchain/chain"
	"mbchain/policy"
)

func ExampleParse() {
	p, err := policy.Parse(`
type firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.4 }
type ids { 10.0.0.3 }
match((dstport=80) & srcip=10.0.0.0/24) >> {firewall -> ids}
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(p)
	// Output:
	// type firewall { mb1 10.0.0.2 weight 2, mb3 10.0.0.4 }
	// type ids { 10.0.0.3 }
	// match(dstport=80 & srcip=10.0.0.0/24) >> {firewall -> ids}
}

func ExampleErrors_Render() {
	_, err := policy.Parse("type fw { 10.0.0.2 }\n\nmatch(dstprt=80) >> {fw}\n")
	var errs policy.Errors
	if errors.As(err, &errs) {
		fmt.Print(errs.Render("policy.conf"))
	}
	// Output:
	// policy.conf:3:7: unknown field "dstprt"; did you mean "dstport"?
	//   3 | match(dstprt=80) >> {fw}
	//     |       ^~~~~~
}

func ExamplePolicy_Split() {
	p, err := policy.Parse(`
type firewall { 10.0.0.2 }
type ids { 10.0.0.3 }
match(srcip=10.1.0.0/16) >> {firewall}
match(srcip=10.2.0.0/16) >> {ids}
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	sub := p.Split([]netip.Addr{netip.MustParseAddr("10.2.0.7")})
	for _, r := range sub.Rules {
		fmt.Println(r.Number, r.Predicate, sub.Types[r.Types[0]])
	}
	// Output: 2 srcip=10.2.0.0/16 type ids { 10.0.0.3 }
}

func ExamplePolicy_Match() {
	p, err := policy.Parse("match(dstport=80) >> {}; match(proto=tcp) >> {} ")
	if err != nil {
		fmt.Println(err)
		return
	}
	tuple, err := chain.ParseFiveTuple("tcp 10.0.0.1:40000 10.0.0.4:443")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Match(tuple))
	// Output: match(proto=tcp) >> {}
}
