// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func TestRaftLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		l := raftLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: noTime})))
		l.Info("too small to be told")
		l.Warn("starting election", "term", 2)
		l.Named("snapshot").With("id", 7).Error("failed", "size", hclog.Fmt("%d bytes", 3))
		for i := range 3 {
			l.Error("no space left", "backoff time", time.Duration(i))
		}
		time.Sleep(repeatAfter)
		l.Error("no space left")
		want := `level=INFO msg="starting election" component=raft term=2
level=ERROR msg=failed component=raft id=7 size="3 bytes"
level=ERROR msg="no space left" component=raft "backoff time"=0s
level=ERROR msg="no space left" component=raft
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}
