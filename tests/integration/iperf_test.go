// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os/exec"
	"testing"

	"mbchain/genl"
)

// iperf3 both ways, with several streams.
func TestIperf(t *testing.T) {
	l := useLab(t)
	l.apply(t, "match(dstport=5201) >> "+l.chain(2)+"\n")
	l.server().start(t, "iperf3", "--server", "--bind", l.server().addr.String())
	path := append(l.all()[:3:3], l.server())
	for _, direction := range []string{"--format=m", "--reverse"} {
		var before []counters
		for _, h := range path {
			before = append(before, h.counters(t))
		}
		var out string
		eventually(t, soon, func() (err error) {
			out, err = l.client().output(exec.Command("iperf3", "--client", l.server().addr.String(), "--parallel", "4", "--time", "2", direction))
			return err
		})
		t.Log(lastLines(out, 4))
		for i, h := range path {
			risen := h.counters(t).since(before[i])
			kind := genl.ReasonSetupAccepted
			if i == 0 {
				kind = genl.ReasonSetupStarted
			}
			if risen[kind.String()] < 5 {
				t.Errorf("%s of %s rose by %d, want 5: control and 4 streams", kind, h.name, risen[kind.String()])
			}
		}
		awaitSessions(t, 0, l.all()...)
	}
}
