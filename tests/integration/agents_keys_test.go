// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"testing"

	"mbchain/genl"
)

// While the set-up key is replaced, connections are made one after the other, and
// none of them is refused: no host signs with a key that another one has not.
func TestSetupKeysRotateUnderConnections(t *testing.T) {
	l := useLab(t)
	t.Cleanup(func() { l.forget(t) })
	l.apply(t, fmt.Sprintf("match(dstport=5001) >> %s\n", l.chain(2)))
	l.server().echo(t, 5001)
	before := make(map[*host]counters)
	for _, h := range l.all() {
		before[h] = h.counters(t)
	}

	var begun struct {
		ID        uint32
		Unchanged bool
	}
	l.mbctl(t, &begun, "key", "rotate")
	if begun.Unchanged {
		t.Fatalf("a rotation to key %d was under way", begun.ID)
	}
	made := 0
	eventually(t, late, func() error {
		c := l.client().connect(t, 0, l.server().port(5001))
		talk(t, c, 1000)
		_ = c.Close()
		made++
		for _, h := range l.all() {
			info, err := h.module.Info(t.Context())
			if err != nil {
				return err
			}
			if len(info.KeyIDs) != 2 || info.KeyIDs[0] != begun.ID {
				return fmt.Errorf("%s has keys %v, want %d to sign", h.name, info.KeyIDs, begun.ID)
			}
		}
		return nil
	})
	t.Logf("%d connections", made)
	c := l.client().connect(t, 0, l.server().port(5001))
	talk(t, c, 1000)
	for _, h := range l.all() {
		now := h.counters(t)
		for _, r := range []genl.Reason{genl.ReasonHdrKey, genl.ReasonHdrMAC} {
			if name := r.String(); now[name] != before[h][name] {
				t.Errorf("%s refused headers: %v went from %d to %d", h.name, r, before[h][name], now[name])
			}
		}
	}
}
