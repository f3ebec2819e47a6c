// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/agentd/internal/agent/agenttest"
)

func TestSnapshotFollowsTheModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		b := start(t, m, &disk{sub: sub(3)})
		time.Sleep(2 * time.Second)
		s := b.agent.Snapshot()
		if !s.Present || s.Module.Version != 3 || s.Policy.Running != 3 || !s.NFInPlace || s.PastNF || !s.Connected {
			t.Errorf("snapshot %+v", s)
		}
		if diff := cmp.Diff([]string{"firewall"}, s.NFTypes); diff != "" {
			t.Errorf("NF types (-want +got):\n%s", diff)
		}
		m.Unload()
		time.Sleep(2 * time.Second)
		if s := b.agent.Snapshot(); s.Present || s.Module.Version != 0 || s.Policy.Running != 0 || s.NFInPlace || s.Policy.Problem != "no module" {
			t.Errorf("without the module: %+v", s)
		}
		m.Reload()
		time.Sleep(3 * time.Second)
		if s := b.agent.Snapshot(); !s.Present || s.Policy.Running != 3 {
			t.Errorf("with another module: %+v", s)
		}
	})
}

func TestSnapshotOfAnNFThatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		m.FailNF(errDevice)
		b := startNF(t, m, &disk{sub: sub(3)}, "redirect:in,out")
		time.Sleep(2 * time.Second)
		if s := b.agent.Snapshot(); !s.Present || s.NFInPlace || !s.PastNF {
			t.Errorf("snapshot %+v", s)
		}
		m.FailNF(nil)
		time.Sleep(3 * time.Second)
		if s := b.agent.Snapshot(); !s.NFInPlace || s.PastNF || s.Policy.Running != 3 {
			t.Errorf("once it is there: %+v", s)
		}
	})
}
