// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/policy"
	"mbchain/proto"
)

const twoOfEach = `type wall { mb1 10.0.0.2, spare 10.0.0.5 }
type eye { mb2 10.0.0.3 }
`

// without is the policy in which the instances at these addresses get no new sessions.
func without(p *policy.Policy, addresses ...string) *policy.Policy {
	return p.Choosing(func(_ *policy.Type, in policy.Instance) policy.Standing {
		for _, a := range addresses {
			if in.Address.IsValid() && in.Address.String() == a {
				return policy.Standing{Rank: policy.Unfit, Why: "drained"}
			}
		}
		return policy.Standing{}
	})
}

func TestEvacuate(t *testing.T) {
	web := func() answers { return whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4") }
	always := map[string]Leave{"mb1": {Always: true, Most: 10}}
	byRule := map[string]Leave{"mb1": {Most: 10}}
	replaced := &proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}, New: []string{"10.0.0.5"}}
	tests := []struct {
		name  string
		rule  string
		out   []string // addresses
		leave map[string]Leave
		a     answers
		want  *proto.MigratePlan // nil: none
		left  int
		stuck string
	}{
		{"drained", "match(any) >> {wall -> eye}", []string{"10.0.0.2"}, always, web(), replaced, 1, ""},
		{"failed, and the rule lets it", "match(any) >> {wall -> eye} live-sessions migrate", []string{"10.0.0.2"}, byRule, web(), replaced, 1, ""},
		{"failed, and the rule does not", "match(any) >> {wall -> eye}", []string{"10.0.0.2"}, byRule, web(), nil, 0, ""},
		{"failed, and the rule resets", "match(any) >> {wall -> eye} live-sessions reset", []string{"10.0.0.2"}, byRule, web(), nil, 0, ""},
		{"all else is kept", "match(any) >> {wall}", []string{"10.0.0.2"}, always, web(),
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}, New: []string{"10.0.0.5"}}, 1, ""},
		{"its instance of another type goes on", "type both { 10.0.0.2 }\nmatch(any) >> {both -> eye}", nil, always, web(), nil, 0, ""},
		{"nobody else is left", "match(any) >> {wall -> eye}", []string{"10.0.0.2", "10.0.0.5"}, always, web(), nil, 1, "gets new sessions"},
		{"it is in no chain", "match(any) >> {eye}", []string{"10.0.0.2"}, always, web(),
			&proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.3", Old: []string{"10.0.0.2"}}, 1, ""},
		{"no rule says what else", "match(dstport=1) >> {wall}", []string{"10.0.0.2"}, always, web(), nil, 1, "no rule of the policy"},
		{"it is being set up", "match(any) >> {wall -> eye}", []string{"10.0.0.2"}, always, func() answers {
			a := web()
			for _, host := range []string{"client", "mb1"} {
				a.of(host).State = "syn"
			}
			return a
		}(), nil, 1, "state syn"},
		{"it is over", "match(any) >> {wall -> eye}", []string{"10.0.0.2"}, always, func() answers {
			a := web()
			a.of("mb1").State = "closed"
			return a
		}(), nil, 0, ""},
		{"where it begins is away", "match(any) >> {wall -> eye}", []string{"10.0.0.2"}, always, func() answers {
			a := web()
			delete(a, "client")
			return a
		}(), nil, 1, "at which it begins did not answer"},
		{"one after the other", "match(any) >> {wall -> eye}", []string{"10.0.0.2"}, map[string]Leave{"mb1": {Always: true}}, web(), nil, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := without(parse(t, twoOfEach+tt.rule), tt.out...)
			wishes, hosts := testDomain().Evacuate(p, policy.Seed{1}, tt.leave, tt.a, func() bool { return false })
			var got *proto.MigratePlan
			if len(wishes) > 0 {
				w := wishes[0].Plan
				got = &proto.MigratePlan{Left: w.Left, Right: w.Right, Old: w.Old, New: w.New}
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" || len(wishes) > 1 {
				t.Errorf("%d plans (-want +got):\n%s", len(wishes), diff)
			}
			l := hosts["mb1"]
			if l.Left != tt.left || (l.Stuck == "") != (tt.stuck == "") || !strings.Contains(l.Stuck, tt.stuck) || l.Begun != len(wishes) {
				t.Errorf("leaving %+v, want %d left, stuck %q", *l, tt.left, tt.stuck)
			}
		})
	}
}

// A session that has to leave two hosts leaves one at a time.
func TestEvacuateOneChangeOfASession(t *testing.T) {
	p := without(parse(t, "type eye { 10.0.0.3, 10.0.0.6 }\n"+strings.Split(twoOfEach, "\n")[0]+"\nmatch(any) >> {wall -> eye}"), "10.0.0.2", "10.0.0.3")
	leave := map[string]Leave{"mb1": {Always: true, Most: 1}, "mb2": {Always: true, Most: 1}}
	a := whole(6, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
	wishes, hosts := testDomain().Evacuate(p, policy.Seed{1}, leave, a, func() bool { return false })
	if len(wishes) != 1 || hosts["mb1"].Left != 1 || hosts["mb2"].Left != 1 || hosts["mb1"].Begun+hosts["mb2"].Begun != 1 {
		t.Errorf("%d plans, leaving %+v and %+v", len(wishes), *hosts["mb1"], *hosts["mb2"])
	}
	if wishes, hosts := testDomain().Evacuate(p, policy.Seed{1}, leave, a, func() bool { return true }); wishes != nil || hosts != nil {
		t.Error("it went on though it was stopped")
	}
}
