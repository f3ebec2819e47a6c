// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
)

func TestGatewayIsSetInEachModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startWith(t, agenttest.NewModule(), &disk{sub: sub(3)}, func(c *agent.Config) { c.Gateway = true })
		for range 2 {
			time.Sleep(10 * time.Second)
			if !b.module.Gateway() {
				t.Error("the module is no gateway, want it to be one")
			}
			b.module.Reload()
		}
		time.Sleep(10 * time.Second)
		b.wantLogged(3, `msg="gateway set" gateway=true`)
		if got, _ := b.agent.Registration(t.Context()); !got.GetGateway() {
			t.Error("policyd is not told that the host is a gateway")
		}
	})
}

func TestGatewayOfBeforeIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		if err := m.SetGateway(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		b := start(t, m, &disk{})
		time.Sleep(10 * time.Second)
		if b.module.Gateway() {
			t.Error("the module is a gateway, want none")
		}
	})
}
