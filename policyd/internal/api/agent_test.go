// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
)

func TestSubscribeRefuses(t *testing.T) {
	many := func(n int, f func(int) string) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = f(i)
		}
		return list
	}
	tests := []struct {
		name string
		set  func(*proto.SubscribeRequest)
		want string
	}{
		{"no name", func(r *proto.SubscribeRequest) { r.Host = "" }, "host:"},
		{"capitals", func(r *proto.SubscribeRequest) { r.Host = "MB1" }, `host: "MB1"`},
		{"long name", func(r *proto.SubscribeRequest) { r.Host = strings.Repeat("a", 64) }, "host:"},
		{"newline", func(r *proto.SubscribeRequest) { r.Host = "a\n" }, "host:"},
		{"no address", func(r *proto.SubscribeRequest) { r.Addresses = nil }, "addresses: none"},
		{"no such address", func(r *proto.SubscribeRequest) { r.Addresses = []string{"10.0.0"} }, `addresses: "10.0.0" is not an address`},
		{"prefix", func(r *proto.SubscribeRequest) { r.Addresses = []string{"10.0.0.1/32"} }, "is not an address"},
		{"mapped", func(r *proto.SubscribeRequest) { r.Addresses = []string{"::ffff:10.0.0.1"} }, "::ffff:10.0.0.1 is an IPv4 address mapped into IPv6"},
		{"zone", func(r *proto.SubscribeRequest) { r.Addresses = []string{"fd00::1%eth0"} }, "is an address with a zone"},
		{"link-local", func(r *proto.SubscribeRequest) { r.Addresses = []string{"10.0.0.1", "fe80::1"} }, "fe80::1 is a link-local address"},
		{"loopback", func(r *proto.SubscribeRequest) { r.Addresses = []string{"127.0.0.1"} }, "is a loopback address"},
		{"IPv6 loopback", func(r *proto.SubscribeRequest) { r.Addresses = []string{"::1"} }, "is a loopback address"},
		{"unspecified", func(r *proto.SubscribeRequest) { r.Addresses = []string{"0.0.0.0"} }, "is not a unicast address"},
		{"multicast", func(r *proto.SubscribeRequest) { r.Addresses = []string{"224.0.0.1"} }, "is not a unicast address"},
		{"IPv6 multicast", func(r *proto.SubscribeRequest) { r.Addresses = []string{"ff02::1"} }, "is not a unicast address"},
		{"IPv6 twice", func(r *proto.SubscribeRequest) { r.Addresses = []string{"fd00::1", "FD00:0::1"} }, "fd00::1 is given twice"},
		{"twice", func(r *proto.SubscribeRequest) { r.Addresses = []string{"10.0.0.1", "10.0.0.1"} }, "10.0.0.1 is given twice"},
		{"many addresses", func(r *proto.SubscribeRequest) {
			r.Addresses = many(maxAddresses+1, func(int) string { return "10.0.0.1" })
		}, "addresses: 65"},
		{"NF type with a blank", func(r *proto.SubscribeRequest) { r.NfTypes = []string{"fire wall"} }, `nf_types: "fire wall"`},
		{"NF type twice", func(r *proto.SubscribeRequest) { r.NfTypes = []string{"ids", "ids"} }, `nf_types: "ids" is given twice`},
		{"long NF type", func(r *proto.SubscribeRequest) { r.NfTypes = []string{strings.Repeat("a", 32)} }, "nf_types:"},
		{"many NF types", func(r *proto.SubscribeRequest) {
			r.NfTypes = many(maxNFTypes+1, func(int) string { return "ids" })
		}, "nf_types: 65"},
		{"long status", func(r *proto.SubscribeRequest) { r.Status = &proto.HostStatus{Kernel: strings.Repeat("a", 257)} }, "status: a text of 257 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				r := &proto.SubscribeRequest{Host: "mb1", Addresses: []string{"10.0.0.2"}}
				tt.set(r)
				stream, err := b.agents.Subscribe(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				defer stream.Close()
				if stream.Receive() {
					t.Fatalf("pushed %v", stream.Msg())
				}
				wantCode(t, stream.Err(), connect.CodeInvalidArgument)
				if !strings.Contains(stream.Err().Error(), tt.want) {
					t.Errorf("error %v does not say %q", stream.Err(), tt.want)
				}
				if n := b.hub.Counts().Known; n != 0 {
					t.Errorf("%d hosts are known", n)
				}
			})
		})
	}
}

func TestAddressOfAnotherHostIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.subscribe("mb1", "10.0.0.2").subpolicy(0)
		other := b.subscribe("mb2", "10.0.0.2")
		if p := other.next(); p != nil {
			t.Fatalf("pushed %v", p)
		}
		err := other.stream.Err()
		wantCode(t, err, connect.CodeAlreadyExists)
		for _, want := range []string{"10.0.0.2", "mb1", "--address"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error does not say %q: %v", want, err)
			}
		}
	})
}

func TestReplacedStreamIsAborted(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		old := b.subscribe("mb1", "10.0.0.2")
		old.subpolicy(0)
		b.subscribe("mb1", "10.0.0.2").subpolicy(0)
		if p := old.next(); p != nil {
			t.Errorf("the replaced stream was pushed %v", p)
		}
		wantCode(t, old.stream.Err(), connect.CodeAborted)
	})
}

func TestAcknowledgeWithoutAStream(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, err := b.agents.Acknowledge(t.Context(), &proto.AcknowledgeRequest{Host: "mb1", Nonce: 1})
		wantCode(t, err, connect.CodeFailedPrecondition)
		_, err = b.agents.Answer(t.Context(), &proto.AnswerRequest{Host: "mb1", Nonce: 1})
		wantCode(t, err, connect.CodeFailedPrecondition)
		_, err = b.agents.Answer(t.Context(), &proto.AnswerRequest{Host: "M", Nonce: 1})
		wantCode(t, err, connect.CodeInvalidArgument)
		_, err = b.agents.Answer(t.Context(), &proto.AnswerRequest{Host: "m", Counters: make([]*proto.Counter, maxCounters+1)})
		wantCode(t, err, connect.CodeInvalidArgument)
	})
}

func TestRefusalIsShortened(t *testing.T) {
	got := shorten(strings.Repeat("é", maxError+5))
	if !utf8.ValidString(got) || utf8.RuneCountInString(got) != maxError+3 || !strings.HasSuffix(got, "é...") {
		t.Errorf("%d characters, ends with %q", utf8.RuneCountInString(got), got[len(got)-8:])
	}
	if got := shorten("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}

// answer answers the next query of a host, and returns it.
func (a *agent) answer(answer *proto.AnswerRequest) *proto.Query {
	p := a.next()
	for p != nil && p.GetQuery() == nil {
		p = a.next()
	}
	answer.Host, answer.Nonce = a.name, p.GetNonce()
	if _, err := a.b.agents.Answer(a.b.t.Context(), answer); err != nil {
		a.b.t.Errorf("answer of %s: %v", a.name, err)
	}
	return p.GetQuery()
}

func TestListSessionsGathersFromTheHosts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		client, mb := b.subscribe("client", "10.0.0.1"), b.subscribe("mb1", "10.0.0.2")
		b.subscribe("silent", "10.0.0.3").subpolicy(0)
		client.subpolicy(0)
		mb.subpolicy(0)
		queries := make(chan *proto.Query, 2)
		go func() {
			queries <- client.answer(&proto.AnswerRequest{Sessions: []*proto.Session{
				{Id: []byte{1}, Host: "somebody else"}, {Id: []byte{2}}, {Id: []byte{3}},
			}})
			queries <- mb.answer(&proto.AnswerRequest{Truncated: true, Sessions: []*proto.Session{{Id: []byte{1}}}})
		}()
		got, err := b.domain.ListSessions(t.Context(), &proto.ListSessionsRequest{Id: []byte{0xab}, Limit: 2})
		if err != nil {
			t.Fatal(err)
		}
		want := &proto.ListSessionsResponse{
			Sessions:  []*proto.Session{{Id: []byte{1}, Host: "client"}, {Id: []byte{2}, Host: "client"}, {Id: []byte{1}, Host: "mb1"}},
			Missing:   []*proto.Missing{{Host: "silent", Error: "no answer in time"}},
			Truncated: true,
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		wantQuery := &proto.Query{Body: &proto.Query_Sessions{Sessions: &proto.SessionQuery{Id: []byte{0xab}, Limit: 2}}}
		if diff := cmp.Diff(wantQuery, <-queries, protocmp.Transform()); diff != "" {
			t.Errorf("query (-want +got):\n%s", diff)
		}
	})
}

func TestListSessionsRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for _, r := range []*proto.ListSessionsRequest{
			{Id: make([]byte, 17)}, {Limit: maxSessions + 1}, {Host: "UP"},
		} {
			_, err := b.domain.ListSessions(t.Context(), r)
			wantCode(t, err, connect.CodeInvalidArgument)
		}
		_, err := b.domain.ListSessions(t.Context(), &proto.ListSessionsRequest{Host: "nobody"})
		wantCode(t, err, connect.CodeNotFound)
	})
}

func TestExamineAsksOneHost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		a := b.subscribe("mb1", "10.0.0.2")
		a.subpolicy(0)
		x := &proto.Examination{Status: &proto.HostStatus{Host: "mb1"}, Forward4: true}
		var host sync.WaitGroup
		host.Go(func() { a.answer(&proto.AnswerRequest{Examination: x}) })
		defer host.Wait()
		got, err := b.domain.Examine(t.Context(), &proto.ExamineRequest{Host: "mb1"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&proto.ExamineResponse{Examination: x}, got, protocmp.Transform()); diff != "" {
			t.Errorf("examination (-want +got):\n%s", diff)
		}
		_, err = b.domain.Examine(t.Context(), &proto.ExamineRequest{}) // every host
		wantCode(t, err, connect.CodeInvalidArgument)
		_, err = b.domain.Examine(t.Context(), &proto.ExamineRequest{Host: "nobody"})
		wantCode(t, err, connect.CodeNotFound)
	})
}

// The host's answer was sent on the test's own context, and the test could end
// before policyd's word that it had it: "context canceled" now and then.
func TestGetStatsKeepsTheStatus(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		a := b.subscribe("mb1", "10.0.0.2")
		a.subpolicy(0)
		status := &proto.HostStatus{Host: "mb1", Sessions: 3}
		counters := []*proto.Counter{{Name: "rewritten", Value: 9}}
		var host sync.WaitGroup
		host.Go(func() { a.answer(&proto.AnswerRequest{Counters: counters, Status: status}) })
		defer host.Wait()
		got, err := b.domain.GetStats(t.Context(), &proto.GetStatsRequest{Host: "mb1"})
		if err != nil {
			t.Fatal(err)
		}
		want := &proto.GetStatsResponse{Hosts: []*proto.HostStats{{Host: "mb1", Counters: counters, Status: status}}}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		hosts, err := b.domain.ListHosts(t.Context(), &proto.ListHostsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		wantHosts := []*proto.Host{{
			Name: "mb1", Addresses: []string{"10.0.0.2"}, Connected: true,
			LastSeenUnixMs: time.Now().UnixMilli(), Status: status,
		}}
		if diff := cmp.Diff(wantHosts, hosts.Hosts, protocmp.Transform()); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
	})
}

// A host was listed as it had been when it connected: without its sessions, and
// with the policy of that moment.
func TestListHostsAsksTheHosts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		a := b.subscribe("mb1", "10.0.0.2")
		a.subpolicy(0)
		b.subscribe("silent", "10.0.0.3").subpolicy(0)
		status := &proto.HostStatus{Host: "mb1", PolicyVersion: 2, Sessions: 3}
		queries := make(chan *proto.Query, 1)
		go func() { queries <- a.answer(&proto.AnswerRequest{Status: status}) }()
		got, err := b.domain.ListHosts(t.Context(), &proto.ListHostsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixMilli()
		want := []*proto.Host{
			{Name: "mb1", Addresses: []string{"10.0.0.2"}, Connected: true, LastSeenUnixMs: now, Status: status},
			{Name: "silent", Addresses: []string{"10.0.0.3"}, Connected: true, LastSeenUnixMs: now},
		}
		if diff := cmp.Diff(want, got.Hosts, protocmp.Transform()); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
		if q := <-queries; q.GetStatus() == nil {
			t.Errorf("the host was asked %v, want its status", q)
		}
	})
}

func TestHostThatLeavesIsDisconnected(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		a := b.subscribe("mb1", "10.0.0.2")
		a.subpolicy(0)
		a.leave()
		synctest.Wait()
		if c := b.hub.Counts(); c.Known != 1 || c.Connected != 0 {
			t.Errorf("counts %+v", c)
		}
	})
}
