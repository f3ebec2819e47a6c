// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mbchain/agentd/internal/agent"
	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/agentd/internal/kernel"
)

var errDevice = errors.New("set NF: no such device: ids0")

// startNF is start for an agent with an NF.
func startNF(t *testing.T, m *agenttest.Module, d *disk, text string) *bench {
	return startWith(t, m, d, func(c *agent.Config) { c.NF = nf(t, text) })
}

// wantNF checks what the module has, what the agent says of it, and how often it
// was set: 10 is often.
func (b *bench) wantNF(want, wantErr string, calls int) {
	b.Helper()
	nf, n := b.module.NF()
	if nf.String() != want || n < calls || calls < 3 && n != calls {
		b.Errorf("the module has %v after %d calls, want %s after %d", nf, n, want, calls)
	}
	if s := b.agent.Status(b.Context()); s.GetNf() != want || s.GetNfError() != wantErr {
		b.Errorf("status says NF %s, error %q, want %s, %q", s.GetNf(), s.GetNfError(), want, wantErr)
	}
}

func TestNFIsSetOnceForEachModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startNF(t, agenttest.NewModule(), &disk{sub: sub(3)}, "tap:ids0")
		time.Sleep(10 * time.Second)
		b.wantNF("tap:ids0", "", 1)
		b.module.Reload()
		time.Sleep(10 * time.Second)
		b.wantNF("tap:ids0", "", 2)
		b.wantRunning(sub(3))
		b.wantLogged(2, `msg="NF in place" nf=tap:ids0`)
	})
}

func TestInlineIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		b.wantNF("inline", "", 0)
		b.wantLogged(0, `msg="NF`)
	})
}

func TestNFOfAnotherProgramIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		b.module.PutNF(nf(t, "none"))
		time.Sleep(2 * time.Second)
		b.wantNF("inline", "", 1)
	})
}

func TestTapThatIsMissingIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		m.FailNF(errDevice)
		b := startNF(t, m, &disk{sub: sub(3)}, "tap:ids0")
		time.Sleep(10 * time.Second)
		b.wantNF("inline", errDevice.Error(), 10)
		b.wantRunning(sub(3)) // an IDS that is away stops nobody
		if b.agent.PastNF() {
			t.Error("sessions are refused for want of a tap")
		}
		m.FailNF(nil)
		time.Sleep(2 * time.Second)
		b.wantNF("tap:ids0", "", 10)
		b.wantLogged(1, `msg="NF not in place, tried again every second" nf=tap:ids0 error="`+errDevice.Error())
	})
}

func TestHostTakesNoPartUntilItsRedirectIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		m.FailNF(errDevice)
		b := startNF(t, m, &disk{sub: sub(3)}, "redirect:nf-in,nf-out")
		time.Sleep(10 * time.Second)
		b.wantNF("inline", errDevice.Error(), 10)
		b.wantRunning(nil)
		if !b.agent.PastNF() {
			t.Error("sessions are not refused")
		}
		if got := b.agent.Status(t.Context()).GetPolicyError(); got != errDevice.Error() {
			t.Errorf("status says of the policy: %q", got)
		}
		b.offer(1, sub(4))
		b.wantAcks("nack 1/1 version=0: " + errDevice.Error())
		m.FailNF(nil)
		time.Sleep(2 * time.Second)
		b.wantNF("redirect:nf-in,nf-out", "", 10)
		b.wantRunning(sub(4))
		b.wantAcks("ack 1/1 version=4")
		if b.agent.PastNF() {
			t.Error("sessions are still refused")
		}
	})
}

// The module drops what it cannot redirect any more: nothing goes past.
func TestRedirectThatLosesItsDeviceKeepsItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startNF(t, agenttest.NewModule(), &disk{sub: sub(3)}, "redirect:nf-in,nf-out")
		b.module.FailNF(errDevice)
		b.module.PutNF(nf(t, "redirect:nf-in,nf-out").Without("nf-out"))
		time.Sleep(10 * time.Second)
		b.wantNF("redirect:nf-in,", errDevice.Error(), 10)
		b.wantRunning(sub(3))
		if b.agent.PastNF() {
			t.Error("sessions are refused by the agent too")
		}
		b.module.FailNF(nil)
		time.Sleep(2 * time.Second)
		b.wantNF("redirect:nf-in,nf-out", "", 10)
	})
}

// An agent that is started anew with another NF takes nothing from sessions that
// there are.
func TestRedirectThatIsMissingLeavesARunningPolicyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		start(t, m, &disk{sub: sub(3)}).stop()
		m.FailNF(errDevice)
		b := startNF(t, m, &disk{sub: sub(3)}, "redirect:nf-in,nf-out")
		b.wantRunning(sub(3))
		if !b.agent.PastNF() {
			t.Error("sessions are not refused")
		}
	})
}

func nf(t *testing.T, text string) kernel.NF {
	t.Helper()
	nf, err := kernel.ParseNF(text)
	if err != nil {
		t.Fatal(err)
	}
	return nf
}
