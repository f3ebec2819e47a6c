// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"slices"
	"time"

	"mbchain/chain"
)

// view is the set of sessions whose begin was seen and whose end was not.
type view struct {
	live   map[chain.SessionID]bool
	synced time.Time // when a dump was read last
}

func newView() *view { return &view{live: make(map[chain.SessionID]bool)} }

// begin adds a session and reports whether it is new.
func (v *view) begin(id []byte) bool {
	if v.has(id) {
		return false
	}
	v.live[sessionID(id)] = true
	return true
}

// end removes a session and reports whether it was there.
func (v *view) end(id []byte) bool {
	was := v.has(id)
	delete(v.live, sessionID(id))
	return was
}

func (v *view) has(id []byte) bool { return v.live[sessionID(id)] }

// replace makes ids the live ones and returns, sorted, those that are not live
// any more.
func (v *view) replace(ids [][]byte) []chain.SessionID {
	old := v.live
	v.live = make(map[chain.SessionID]bool, len(ids))
	for _, id := range ids {
		v.live[sessionID(id)] = true
		delete(old, sessionID(id))
	}
	var ended []chain.SessionID
	for id := range old {
		ended = append(ended, id)
	}
	slices.SortFunc(ended, func(a, b chain.SessionID) int { return bytes.Compare(a[:], b[:]) })
	return ended
}

// sessionID is the id of a session that package kernel made: 16 bytes.
func sessionID(b []byte) chain.SessionID {
	var id chain.SessionID
	copy(id[:], b)
	return id
}
