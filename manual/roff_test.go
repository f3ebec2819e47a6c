// SPDX-License-Identifier: Apache-2.0

package manual

import (
	"strings"
	"testing"
)

func TestEscape(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "a rule", "a rule"},
		{"request", ".so /etc/passwd", `\&.so /etc/passwd`},
		{"other request", "'sp 99", `\(aqsp 99`},
		{"point within", "mb1.conf", "mb1.conf"},
		{"backslash", `\fB\s0`, `\efB\es0`},
		{"option", "--json", `\-\-json`},
		{"quotes", `'a' "b" ` + "`c`", `\(aqa\(aq \(dqb\(dq \(gac\(ga`},
		{"marks", "~^", `\(ti\(ha`},
		{"arrow", "a → b", `a \[u2192] b`},
		{"beyond 16 bits", "\U0001F600", `\[u1F600]`},
		{"line end", "a\n.so b", "a .so b"},
		{"control", "a\x1b[31m\x7f", "a?[31m?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := escape(test.in); got != test.want {
				t.Errorf("escape(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

func TestProse(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"see `mbctl status`.", `see \fBmbctl status\fR.`},
		{"`.so x` is no request", `\fB\&.so x\fR is no request`},
		{"one ` too many", `one \(ga too many`},
		{"a`b`.c", `a\fBb\fR.c`},
	} {
		if got := prose(test.in); got != test.want {
			t.Errorf("prose(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"mbctl host show NAME", `\fBmbctl\fR \fBhost\fR \fBshow\fR \fINAME\fR`},
		{"--policyd ADDRESS:PORT", `\fB\-\-policyd\fR \fIADDRESS:PORT\fR`},
		{"[FILE...]  -", `\fI[FILE...]\fR \fB\-\fR`},
		{"", ""},
	} {
		if got := usage(test.in); got != test.want {
			t.Errorf("usage(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

// Whatever is in a text, roff gets no request out of it, and no escape but those of
// this package.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{".TH", "'", `\n(.g`, "a\n.b", "→", "\x00\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := escape(text)
		if strings.HasPrefix(got, ".") || strings.HasPrefix(got, "'") || strings.ContainsAny(got, "\n\t") {
			t.Errorf("escape(%q) = %q: a request", text, got)
		}
		for rest := got; ; {
			i := strings.IndexByte(rest, '\\')
			if i < 0 {
				break
			}
			if rest = rest[i+1:]; rest == "" || !strings.ContainsRune("e-([&", rune(rest[0])) {
				t.Fatalf("escape(%q) = %q: an escape of its own", text, got)
			}
		}
	})
}
