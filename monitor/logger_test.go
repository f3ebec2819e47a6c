// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// id is like that of a session, state like that of a machine.
type (
	id    [2]byte
	state uint8
	pair  struct{ a, b int }
)

func (i id) String() string    { return fmt.Sprintf("%x", i[:]) }
func (s state) String() string { return "idle" }
func (p *pair) String() string { return fmt.Sprintf("%d-%d", p.a, p.b) }

func TestLogAsJSONHasTheValuesOfTheText(t *testing.T) {
	log := func(format string) string {
		var out bytes.Buffer
		NewLogger(&out, format, slog.LevelInfo).With("host", "mb1").Info("hello",
			"session", id{0xab, 1}, "state", state(3), "took", 1500*time.Microsecond, "error", errors.New("no"),
			"peer", netip.MustParseAddr("10.0.0.1"), "addresses", []netip.Addr{netip.MustParseAddr("10.0.0.1")},
			"pair", &pair{1, 2}, "gone", (*pair)(nil), "rules", 7, "reset", uint32(1), "gateway", true)
		return out.String()
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(log("json")), &got); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339Nano, got["time"].(string)); err != nil {
		t.Error(err)
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "hello", "host": "mb1",
		"session": "ab01", "state": "idle", "took": "1.5ms", "error": "no",
		"peer": "10.0.0.1", "addresses": []any{"10.0.0.1"}, "pair": "1-2", "gone": "<nil>",
		"rules": 7.0, "reset": 1.0, "gateway": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	for _, part := range []string{"session=ab01", "state=idle", "took=1.5ms", "peer=10.0.0.1", "pair=1-2", "gone=<nil>"} {
		if text := log("text"); !strings.Contains(text, part) {
			t.Errorf("text lacks %s: %s", part, text)
		}
	}
}

func TestLevelAndFormat(t *testing.T) {
	var out bytes.Buffer
	NewLogger(&out, "json", slog.LevelWarn).Info("hello")
	if out.Len() != 0 {
		t.Errorf("logged below its level: %s", &out)
	}
	for format, right := range map[string]bool{"text": true, "json": true, "": false, "xml": false} {
		if err := CheckLogFormat(format); (err == nil) != right {
			t.Errorf("%q: %v", format, err)
		}
	}
}
