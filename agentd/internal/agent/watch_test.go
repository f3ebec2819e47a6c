// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mbchain/agentd/internal/agent/agenttest"
	"mbchain/proto"
)

func id(first byte) []byte { return append([]byte{first}, make([]byte, 15)...) }

// sessionLines returns what the log says of sessions, in short.
func (b *bench) sessionLines() []string {
	b.stop()
	var lines []string
	for line := range strings.Lines(b.log.String()) {
		var what, which, why string
		for field := range strings.FieldsSeq(line) {
			if id, found := strings.CutPrefix(field, "session="); found {
				which = id[:2]
			}
			if reason, found := strings.CutPrefix(field, "reason="); found {
				why = " " + reason
			}
		}
		for _, word := range []string{"session began", "session ended", "events lost", "sessions learned"} {
			if strings.Contains(line, word) {
				what = word
			}
		}
		if what != "" {
			lines = append(lines, strings.TrimSpace(what+" "+which+why))
		}
	}
	return lines
}

func TestEverySessionIsLoggedOnceAlthoughEventsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := agenttest.NewModule()
		m.Begin(&proto.Session{Id: id(1)}, false)
		m.Begin(&proto.Session{Id: id(2)}, false)
		b := start(t, m, &disk{})
		m.Begin(&proto.Session{Id: id(3)}, false)
		m.End(id(1), false)
		synctest.Wait()

		m.End(id(2), true)
		m.Begin(&proto.Session{Id: id(4)}, true)
		m.LoseEvents()
		m.Begin(&proto.Session{Id: id(5)}, false)
		time.Sleep(2 * time.Second)
		m.End(id(4), false)
		synctest.Wait()

		want := []string{
			"session began 01", "session began 02", "sessions learned",
			"session began 03", "session ended 01 end_fin",
			"events lost", "session began 04", "session began 05",
			"session ended 02 unseen", "sessions learned",
			"session ended 04 end_fin",
		}
		if diff := cmp.Diff(want, b.sessionLines()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestEventsThatAreLostAllTheTimeCostOneDumpASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{})
		for range 20 {
			b.module.LoseEvents()
		}
		time.Sleep(10500 * time.Millisecond)
		synctest.Wait()
		b.wantLogged(11, "sessions learned")
	})
}

func TestPolicyLoadedByAnotherProgramIsNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, agenttest.NewModule(), &disk{sub: sub(3)})
		if err := b.module.LoadPolicy(t.Context(), sub(2)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.wantRunning(sub(3))
	})
}
