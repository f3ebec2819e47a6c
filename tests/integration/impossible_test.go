// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"testing"

	"mbchain/genl"
)

// A session whose chain cannot be set up is blocked or goes straight to the
// server, as its rule says, and the counter of the reason tells why.
func TestSetUpImpossible(t *testing.T) { eachFamily(t, testSetUpImpossible) }

func testSetUpImpossible(t *testing.T, f family) {
	const (
		blockPort  = 5001
		bypassPort = 5002
	)
	r := newRigOf(t, f, 2)
	client, server := r.client(), r.server()
	far := oddAddrs(f).stranger.String()
	block, bypass := server.echo(t, blockPort), server.echo(t, bypassPort)

	rows := []struct {
		name    string
		types   string
		chain   string
		prepare func(t *testing.T)
		want    genl.Reason
	}{
		{name: "no key", chain: "{mb1}", want: genl.ReasonNoKey, prepare: func(t *testing.T) {
			if err := client.module.SetKeys(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "no route to the middlebox", types: "type far { " + far + " }\n", chain: "{far}", want: genl.ReasonNoRoute},
		// All but certain: what is certain is no policy.
		{name: "middlebox twice", types: "type again { " + r.hosts[1].addr.String() + " weight 65535, " + far + " }\n",
			chain: "{mb1 -> mb2 -> again}", want: genl.ReasonChainLoop},
		{name: "client as middlebox", types: "type here { " + client.addr.String() + " }\n", chain: "{here}", want: genl.ReasonChainLoop},
		{name: "server as first middlebox", types: "type there { " + server.addr.String() + " }\n", chain: "{there -> mb1}",
			want: genl.ReasonChainLoop},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.prepare != nil {
				row.prepare(t)
			}
			t.Cleanup(func() {
				r.agents = r.hosts
				if err := client.module.SetKeys(context.Background(), []genl.Key{rigKey}); err != nil {
					t.Error(err)
				}
			})
			r.load(t, row.types+"match(dstport=5001) >> "+row.chain+"\nmatch(dstport=5002) >> "+row.chain+" on-failure bypass\n")

			before, served := client.counters(t), block.count()
			a := client.attempt(t, block, blockPort)
			client.awaitCounter(t, before, row.want, 1)
			client.awaitCounter(t, before, genl.ReasonBlocked, 1)
			a.giveUp(t)
			if got := block.count(); got != served {
				t.Errorf("%d connections came to the server, want none", got-served)
			}

			before = client.counters(t)
			c := client.attempt(t, bypass, bypassPort).connection(t)
			talk(t, c, 1000)
			got := client.counters(t).since(before)
			if got[row.want.String()] != 1 || got["bypassed"] != 1 || got["blocked"] != 0 {
				t.Errorf("counters rose by %v, want %v and bypassed by 1", got, row.want)
			}
			awaitSessions(t, 0, r.hosts...)
			reset(t, c)
		})
	}
}
