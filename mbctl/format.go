// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"mbchain/chain"
	"mbchain/proto"
)

// countText writes n with a comma every three digits.
func countText(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

var byteUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// bytesText writes n in the largest unit that leaves a figure of at least 1.
func bytesText(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	unit, value := 0, float64(n)
	for value >= 1023.95 && unit < len(byteUnits)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, byteUnits[unit])
}

// spanText writes a duration in its two largest units: "1h12m", "3.2s".
func spanText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0ms"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
}

// maxSpanMs keeps what a host reports within a time.Duration.
const maxSpanMs = uint64(1<<63-1) / uint64(time.Millisecond)

func millisText(ms uint64) string {
	return spanText(time.Duration(min(ms, maxSpanMs)) * time.Millisecond)
}

// plural writes "1 rule" and "2 rules".
func plural[N ~int | ~uint32 | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return countText(uint64(n)) + " " + noun + "s"
}

// endText writes one end of a session: "10.0.0.1:80", "[2001:db8::1]:80".
func endText(address string, port uint32) string {
	return net.JoinHostPort(address, strconv.FormatUint(uint64(port), 10))
}

// tupleText writes both ends with arrow between them.
func tupleText(t *proto.Tuple, arrow string) string {
	if t == nil {
		return "unknown"
	}
	return endText(t.Source, t.SourcePort) + " " + arrow + " " + endText(t.Destination, t.DestinationPort)
}

func protocolText(protocol uint32) string {
	if protocol > 255 {
		return strconv.FormatUint(uint64(protocol), 10)
	}
	return chain.ProtocolName(uint8(protocol))
}

// cut shortens s to width characters, the last of them a "~" then.
func cut(s string, width int) string {
	if width <= 0 {
		return s
	}
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "~"
}

// pad fills s with spaces up to width characters; to the left of it for a
// negative width, as fmt does not count: by character.
func pad(s string, width int) string {
	left := width < 0
	if left {
		width = -width
	}
	n := width - len([]rune(s))
	if n <= 0 {
		return s
	}
	if left {
		return strings.Repeat(" ", n) + s
	}
	return s + strings.Repeat(" ", n)
}

// dash stands for what is empty in a table.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
