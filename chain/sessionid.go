// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// SessionIDLen is the length of a session id in bytes.
const SessionIDLen = 16

// SessionID names a session on every host that carries it: 128 random bits
// chosen by the client's host. The zero id names no session.
type SessionID [SessionIDLen]byte

// String returns the id as 32 hexadecimal digits.
func (id SessionID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 hexadecimal digits of the id, for people: enough
// to tell sessions apart in a list, and accepted by [ParseIDPrefix].
func (id SessionID) Short() string { return hex.EncodeToString(id[:4]) }

// IsZero reports whether id names no session.
func (id SessionID) IsZero() bool { return id == SessionID{} }

// HasPrefix reports whether the id begins with these bytes. The empty prefix
// fits every id.
func (id SessionID) HasPrefix(prefix []byte) bool { return bytes.HasPrefix(id[:], prefix) }

// ParseSessionID reads 32 hexadecimal digits of either case.
func ParseSessionID(s string) (SessionID, error) {
	var id SessionID
	if len(s) != hex.EncodedLen(SessionIDLen) {
		return SessionID{}, fmt.Errorf("parse session id %q: not 32 hexadecimal digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return SessionID{}, fmt.Errorf("parse session id %q: not 32 hexadecimal digits", s)
	}
	return id, nil
}

// ParseIDPrefix reads the beginning of a session id: an even number of
// hexadecimal digits, 2 to 32 of them. It returns 1 to 16 bytes for
// [SessionID.HasPrefix].
func ParseIDPrefix(s string) ([]byte, error) {
	prefix, err := hex.DecodeString(s)
	if err != nil || len(prefix) == 0 || len(prefix) > SessionIDLen {
		return nil, fmt.Errorf("parse session id %q: not an even number of hexadecimal digits from 2 to 32", s)
	}
	return prefix, nil
}

// SessionIDFromBytes makes an id of exactly [SessionIDLen] bytes, as found in
// messages.
func SessionIDFromBytes(b []byte) (SessionID, error) {
	if len(b) != SessionIDLen {
		return SessionID{}, fmt.Errorf("read session id: %d bytes instead of %d", len(b), SessionIDLen)
	}
	return SessionID(b), nil
}

// MarshalText returns [SessionID.String] as text.
func (id SessionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what [SessionID.MarshalText] wrote, as
// [ParseSessionID] does.
func (id *SessionID) UnmarshalText(text []byte) error {
	parsed, err := ParseSessionID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
