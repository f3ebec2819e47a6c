// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

func leave(host string, n int) *proto.AskRequest {
	return &proto.AskRequest{Host: host, Session: chained(n)[n-1].Id, Want: &proto.AskRequest_Leave{Leave: &proto.AskLeave{}}}
}

func want(host, nfType string, n int) *proto.AskRequest {
	return &proto.AskRequest{Host: host, Session: chained(n)[n-1].Id,
		Want: &proto.AskRequest_Insert{Insert: &proto.AskInsert{NfType: nfType}}}
}

func TestAHostGetsWhatThePolicyLetsItAskFor(t *testing.T) {
	tests := []struct {
		name string
		r    *proto.AskRequest
		want *proto.MigratePlan
		left string
	}{
		{"to leave", leave("mb1", 2), &proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.4", Old: []string{"10.0.0.2"}}, "client"},
		{"an NF right of it", want("mb1", "dpi", 2), &proto.MigratePlan{Left: "10.0.0.2", Right: "10.0.0.4", New: []string{"10.0.0.5"}}, "mb1"},
		{"an NF right of the client", want("client", "dpi", 2), &proto.MigratePlan{Left: "10.0.0.1", Right: "10.0.0.2", New: []string{"10.0.0.5"}}, "client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				c := b.answering(carryingAll(3))
				b.apply(liveTypes + "match(any) >> {fw} may-leave fw may-insert dpi")
				got, err := b.agents.Ask(t.Context(), tt.r)
				if err != nil {
					t.Fatal(err)
				}
				pushes := c.of(tt.left)
				if len(pushes) != 1 || len(pushes[0].Wishes) != 1 {
					t.Fatalf("pushed %v", pushes)
				}
				wish := pushes[0].Wishes[0]
				answer := &proto.AskResponse{Job: pushes[0].Job, Id: wish.Id, Session: tt.r.Session}
				if diff := cmp.Diff(answer, got, protocmp.Transform()); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
				tt.want.Session, tt.want.Super, tt.want.PatienceMs = tt.r.Session, chained(2)[1].Super, 5000
				tt.want.Guarantee = proto.Guarantee_GUARANTEE_LOSS_FREE
				if diff := cmp.Diff(tt.want, wish.Plan, protocmp.Transform()); diff != "" {
					t.Errorf("plan (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAHostIsRefused(t *testing.T) {
	unsaid := leave("mb1", 1)
	unsaid.Want = nil
	short := leave("mb1", 1)
	short.Session = short.Session[:15]
	tests := []struct {
		name string
		r    *proto.AskRequest
		code connect.Code
		want string
	}{
		{"what the policy does not say", want("mb1", "lost", 1), connect.CodePermissionDenied,
			`rule 1 (line 4) lets nobody ask for lost: write "may-insert lost" behind its chain`},
		{"no NF of the chain", leave("client", 1), connect.CodePermissionDenied, "client runs no NF of the chain of rule 1 (line 4)"},
		{"an instance that is on its way already", want("mb1", "ids", 1), connect.CodeFailedPrecondition,
			"stays as it is: ids on mb1 is on its chain already"},
		{"a session that it does not carry", leave("mb3", 1), connect.CodeNotFound, "mb3 does not carry session 00000100"},
		{"an unknown host", leave("mb9", 1), connect.CodeNotFound, "unknown host: mb9"},
		{"a host that is no name", leave("MB9", 1), connect.CodeInvalidArgument, `host: "MB9"`},
		{"half an id", short, connect.CodeInvalidArgument, "session: 15 bytes"},
		{"nothing", unsaid, connect.CodeInvalidArgument, "none of leave and insert"},
		{"a type without a name", want("mb1", "", 1), connect.CodeInvalidArgument, "nf_type"},
	}
	inBubble(t, func(t *testing.T, b *bench) {
		c := b.answering(carryingAll(3))
		b.apply(liveTypes + "type ids { 10.0.0.2 }\nmatch(any) >> {fw} may-leave fw may-insert dpi, ids")
		for _, tt := range tests {
			_, err := b.agents.Ask(t.Context(), tt.r)
			wantCode(t, err, tt.code)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: error %v does not say %q", tt.name, err, tt.want)
			}
		}
		for _, host := range []string{"client", "mb1", "mb3", "server"} {
			if pushes := c.of(host); len(pushes) > 0 {
				t.Errorf("%s was pushed %v", host, pushes)
			}
		}
	})
}

func TestAHostIsToldThatTheLeaderIsSilent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		all := carryingAll(1)
		b.answering(func(host string, q *proto.Query) *proto.AnswerRequest {
			if q.GetMigrate() != nil {
				return &proto.AnswerRequest{Error: "too many wishes"}
			}
			return all(host, q)
		})
		b.apply(liveTypes + "match(any) >> {fw} may-leave fw")
		_, err := b.agents.Ask(t.Context(), leave("mb1", 1))
		wantCode(t, err, connect.CodeUnavailable)
		if err == nil || !strings.Contains(err.Error(), "client, which would lead the change") {
			t.Errorf("error %v", err)
		}
	})
}

func TestRequestsOfHostsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.answering(func(host string, q *proto.Query) *proto.AnswerRequest { return nil })
		hosts := []string{"client", "mb1", "mb3", "server"} // one alone has no room for so many questions
		refused := make(chan error, maxAsks+1)
		ask := func(host string) {
			_, err := b.agents.Ask(t.Context(), leave(host, 1))
			refused <- err
		}
		for i := range maxAsks {
			go ask(hosts[i%len(hosts)])
		}
		synctest.Wait()
		ask("mb1")
		codes := map[connect.Code]int{}
		for range maxAsks + 1 {
			codes[connect.CodeOf(<-refused)]++
		}
		if codes[connect.CodeResourceExhausted] != 1 || codes[connect.CodeUnavailable] != maxAsks {
			t.Errorf("codes %v", codes)
		}
	})
}
