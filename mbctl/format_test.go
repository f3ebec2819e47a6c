// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
	"time"

	"mbchain/proto"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	tests := []struct{ got, want string }{
		{countText(0), "0"},
		{countText(999), "999"},
		{countText(1000), "1,000"},
		{countText(1234567), "1,234,567"},
		{countText(math.MaxUint64), "18,446,744,073,709,551,615"},
		{bytesText(1023), "1023 B"},
		{bytesText(1024), "1.0 KiB"},
		{bytesText(1024*1024 - 1), "1.0 MiB"},
		{bytesText(256 << 20), "256.0 MiB"},
		{bytesText(math.MaxUint64), "16.0 EiB"},
		{spanText(-time.Second), "0ms"},
		{spanText(999 * time.Millisecond), "999ms"},
		{spanText(59_990 * time.Millisecond), "59.9s"},
		{spanText(61 * time.Second), "1m01s"},
		{spanText(3*time.Hour + 4*time.Minute), "3h04m"},
		{spanText(50 * time.Hour), "2d02h"},
		{millisText(math.MaxUint64), "106751d23h"},
		{plural(1, "rule"), "1 rule"},
		{plural(0, "rule"), "0 rules"},
		{plural(1200, "rule"), "1,200 rules"},
		{endText("10.0.0.1", 80), "10.0.0.1:80"},
		{endText("2001:db8::1", 80), "[2001:db8::1]:80"},
		{tupleText(nil, ">"), "unknown"},
		{protocolText(6), "tcp"},
		{protocolText(47), "47"},
		{protocolText(4711), "4711"},
		{cut("middlebox", 0), "middlebox"},
		{cut("middlebox", 9), "middlebox"},
		{cut("middlebox", 4), "mid~"},
		{pad("→", 3), "→  "},
		{pad("→", -3), "  →"},
		{pad("long", 2), "long"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestNonsenseTuplesAreNotAddresses(t *testing.T) {
	for _, bad := range []*proto.Tuple{
		nil,
		tuple("", 1, "10.0.0.1", 1),
		tuple("10.0.0.1", 65536, "10.0.0.1", 1),
		{Source: "10.0.0.1", Destination: "10.0.0.2", Protocol: 256},
	} {
		if got, ok := fiveTuple(bad); ok {
			t.Errorf("fiveTuple(%v) = %v, want none", bad, got)
		}
	}
}

func TestLocaleDecidesTheCharacters(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"nothing set", nil, false},
		{"C", map[string]string{"LANG": "C"}, false},
		{"LANG", map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{"utf8 without dash", map[string]string{"LANG": "C.utf8"}, true},
		{"LC_ALL first", map[string]string{"LC_ALL": "C", "LANG": "C.UTF-8"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := utf8Locale(func(key string) string { return tt.env[key] }); got != tt.want {
				t.Errorf("utf8Locale = %v, want %v", got, tt.want)
			}
		})
	}
}
