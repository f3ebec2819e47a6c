// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mbchain/chain"
)

var someID = chain.SessionID{0x3f, 0xa2, 0x01, 0xbc, 4: 0xff, 15: 0x0a}

const someIDText = "3fa201bcff000000000000000000000a"

func TestSessionIDText(t *testing.T) {
	if got := someID.String(); got != someIDText {
		t.Errorf("String() = %s, want %s", got, someIDText)
	}
	if got, want := someID.Short(), someIDText[:8]; got != want {
		t.Errorf("Short() = %s, want %s", got, want)
	}
	for _, text := range []string{someIDText, strings.ToUpper(someIDText)} {
		got, err := chain.ParseSessionID(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(someID, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseSessionIDRefusesOtherText(t *testing.T) {
	for _, text := range []string{"", someIDText[:31], someIDText + "0", "x" + someIDText[1:], someIDText[:30] + " 0"} {
		if id, err := chain.ParseSessionID(text); err == nil {
			t.Errorf("%q is read as %s", text, id)
		}
	}
}

func TestSessionIDPrefix(t *testing.T) {
	tests := []struct {
		name, prefix string
		ok, match    bool
	}{
		{"one byte", "3f", true, true},
		{"short form", "3fa201bc", true, true},
		{"whole id", someIDText, true, true},
		{"upper case", "3FA2", true, true},
		{"another id's", "3fa202", true, false},
		{"empty", "", false, false},
		{"half a byte", "3fa", false, false},
		{"no digits", "zz", false, false},
		{"longer than an id", someIDText + "00", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prefix, err := chain.ParseIDPrefix(tt.prefix)
			if (err == nil) != tt.ok {
				t.Fatalf("ParseIDPrefix(%q): %v", tt.prefix, err)
			}
			if err == nil && someID.HasPrefix(prefix) != tt.match {
				t.Errorf("HasPrefix(%x) = %t, want %t", prefix, !tt.match, tt.match)
			}
		})
	}
	if !someID.HasPrefix(nil) {
		t.Error("the empty prefix does not fit")
	}
}

func TestSessionIDFromBytes(t *testing.T) {
	got, err := chain.SessionIDFromBytes(someID[:])
	if err != nil || got != someID {
		t.Errorf("SessionIDFromBytes = %s, %v", got, err)
	}
	for _, n := range []int{0, 15, 17} {
		if _, err := chain.SessionIDFromBytes(make([]byte, n)); err == nil {
			t.Errorf("%d bytes make an id", n)
		}
	}
	if someID.IsZero() || !(chain.SessionID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestSessionIDInJSON(t *testing.T) {
	text, err := json.Marshal(someID)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `"`+someIDText+`"`; got != want {
		t.Errorf("JSON %s, want %s", got, want)
	}
	var got chain.SessionID
	if err := json.Unmarshal(text, &got); err != nil || got != someID {
		t.Errorf("back from JSON: %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`"3f"`), &got); err == nil {
		t.Error("no error for a short id")
	}
}

func FuzzParseSessionID(f *testing.F) {
	f.Add(someIDText)
	f.Add("")
	f.Add("zz")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := chain.ParseSessionID(s)
		if err == nil && id.String() != strings.ToLower(s) {
			t.Errorf("%q reads as %s", s, id)
		}
		if prefix, err := chain.ParseIDPrefix(s); err == nil && (len(prefix) < 1 || len(prefix) > chain.SessionIDLen) {
			t.Errorf("prefix %q has %d bytes", s, len(prefix))
		}
	})
}
