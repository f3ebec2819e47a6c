// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"
)

// timeText writes a time of policyd, and how long ago that was.
func (w *world) timeText(unixMs int64) string {
	if unixMs == 0 {
		return "never"
	}
	t := time.UnixMilli(unixMs).In(w.now().Location())
	return fmt.Sprintf("%s (%s)", t.Format("2006-01-02 15:04:05 MST"), w.agoText(unixMs))
}

func (w *world) agoText(unixMs int64) string {
	return spanText(w.now().Sub(time.UnixMilli(unixMs))) + " ago"
}

// timeJSON is RFC 3339 in UTC, empty for never.
func timeJSON(unixMs int64) string {
	if unixMs == 0 {
		return ""
	}
	return time.UnixMilli(unixMs).UTC().Format(time.RFC3339)
}
