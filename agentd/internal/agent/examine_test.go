// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/proto"
)

// examiner notes which hosts it was to try.
type examiner struct{ neighbours []string }

func (e *examiner) Examine(_ context.Context, x *proto.Examination, neighbours []netip.Addr) error {
	for _, a := range neighbours {
		e.neighbours = append(e.neighbours, a.String())
	}
	x.Forward4 = true
	return nil
}

func TestExamine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &examiner{}
		b := startWith(t, agenttest.NewModule(), &disk{}, func(c *agent.Config) { c.Examiner = e })
		s := sub(7)
		s.Types = []*proto.NFType{{Name: "ids", Instances: []*proto.Instance{
			{Address: "10.0.0.3", Address6: "fd00::3"}, {Address: "10.0.0.2"}, // this host
		}}}
		s.Hosts = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "no address"}
		b.offer(1, s)
		query := &proto.Query{Body: &proto.Query_Examine{Examine: &proto.ExamineQuery{}}}
		got := b.agent.Answer(t.Context(), query)
		ahead := int64(1500)
		want := &proto.AnswerRequest{Examination: &proto.Examination{
			Status: b.agent.Status(t.Context()), NfTypes: []string{"firewall"},
			ClockAheadMs: &ahead, Keys: []uint32{1}, Forward4: true,
		}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"10.0.0.3", "fd00::3", "10.0.0.1"}, e.neighbours); diff != "" {
			t.Errorf("neighbours, those of chains first (-want +got):\n%s", diff)
		}
	})
}
