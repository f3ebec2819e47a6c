// SPDX-License-Identifier: Apache-2.0

package push

import (
	"testing"
	"testing/synctest"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
	"mbchain/proto/delta"
)

func rules(version uint64, predicates ...string) *proto.Subpolicy {
	s := &proto.Subpolicy{Version: version, Seed: []byte("seedseedseedseed")}
	for i, p := range predicates {
		s.Rules = append(s.Rules, &proto.Rule{Number: uint32(i + 1), Predicate: p})
	}
	return s
}

func changeOf(t *testing.T, nonce uint64, from, to *proto.Subpolicy) *proto.Push {
	t.Helper()
	c := delta.Between(delta.New(from, nil), delta.New(to, nil))
	if c == nil {
		t.Fatal("no change is smaller than the whole")
	}
	return &proto.Push{Nonce: nonce, Body: &proto.Push_Change{Change: c}}
}

var (
	long   = rules(7, "srcip=10.0.0.1 & dstip=10.0.0.2 & dstport=80", "srcip=10.0.0.1 & dstip=10.0.0.3 & dstport=80", "srcip=10.0.0.1 & dstip=10.0.0.4 & dstport=80")
	longer = rules(8, "dstport=443", "srcip=10.0.0.1 & dstip=10.0.0.2 & dstport=80", "srcip=10.0.0.1 & dstip=10.0.0.3 & dstport=80", "srcip=10.0.0.1 & dstip=10.0.0.4 & dstport=80")
)

// What comes of a change is offered like a whole, and is what the next one changes,
// whatever the host says of it.
func TestClientMakesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		<-b.policyd.subscribed
		b.policyd.pushes <- &proto.Push{Nonce: 1, Body: &proto.Push_Subpolicy{Subpolicy: long}}
		b.want("the whole", long, (<-b.host.offers).Subpolicy)
		b.policyd.pushes <- changeOf(t, 2, long, longer)
		b.want("what comes of a change", subpolicy.Offered{Ref: subpolicy.Ref{Stream: 1, Nonce: 2}, Subpolicy: longer}, <-b.host.offers)
		b.policyd.pushes <- changeOf(t, 3, longer, long)
		b.want("what comes of a change of it", long, (<-b.host.offers).Subpolicy)
		b.stop()
		b.want("refused", []string(nil), b.misfits)
	})
}

// A host that was away says what it has, and gets what has changed since.
func TestClientThatWasAwayCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startHolding(t, long)
		held := delta.New(long, nil).Digest()
		b.want("what it says it has", held[:], (<-b.policyd.subscribed).GetHeld())
		b.policyd.pushes <- changeOf(t, 1, long, longer)
		b.want("what comes of it", longer, (<-b.host.offers).Subpolicy)
	})
}

// A change that does not fit is no offer: policyd is told why and that the whole is
// wanted, and that it may come any time.
func TestClientRefusesAChangeThatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		<-b.policyd.subscribed
		b.policyd.pushes <- changeOf(t, 1, long, longer)
		ack := <-b.policyd.acks
		if ack.Error == "" {
			t.Error("no reason is given")
		}
		ack.Error = ""
		b.want("nack", &proto.AcknowledgeRequest{Host: "mb1", Nonce: 1, Version: 3, Whole: true}, ack)

		b.policyd.pushes <- &proto.Push{Nonce: 2, Body: &proto.Push_Subpolicy{Subpolicy: long}}
		b.want("the whole", uint64(2), (<-b.host.offers).Ref.Nonce)
		altered := changeOf(t, 3, long, longer)
		altered.GetChange().Rules.Added[0].Predicate = "any"
		b.policyd.pushes <- altered
		b.want("nack's nonce", uint64(3), (<-b.policyd.acks).Nonce)
		twice := changeOf(t, 4, long, longer)
		b.policyd.pushes <- twice
		b.want("what comes of the next one", longer, (<-b.host.offers).Subpolicy)
		b.policyd.pushes <- twice
		b.want("nack's nonce", uint64(4), (<-b.policyd.acks).Nonce)
		synctest.Wait()
		b.stop()
		b.want("refused", []string{"base", "digest", "base"}, b.misfits)
		if len(b.host.offers) != 0 {
			t.Error("a change that does not fit was offered")
		}
	})
}
