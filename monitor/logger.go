// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// logFormats are those that [NewLogger] knows.
var logFormats = []string{"text", "json"}

// CheckLogFormat refuses what [NewLogger] does not know.
func CheckLogFormat(format string) error {
	if !slices.Contains(logFormats, format) {
		return fmt.Errorf("%q: want text or json", format)
	}
	return nil
}

// NewLogger returns a logger that writes events from a level on, one a line: as text,
// or as an object of JSON that has the same values.
func NewLogger(to io.Writer, format string, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format != "json" {
		return slog.New(slog.NewTextHandler(to, opts))
	}
	opts.ReplaceAttr = asText
	return slog.New(slog.NewJSONHandler(to, opts))
}

// asText makes a value what the text has for it. JSON's way would be a list of 16
// numbers for the id of a session, a number that scripts round for that of a
// migration, one for a state, and nanoseconds for a time.
func asText(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		return slog.String(a.Key, a.Value.Duration().String())
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error, json.Marshaler, encoding.TextMarshaler: // JSON does the same
		case fmt.Stringer:
			return slog.String(a.Key, fmt.Sprintf("%v", v)) // of a nil pointer, too
		}
	}
	return a
}
