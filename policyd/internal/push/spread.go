// SPDX-License-Identifier: Apache-2.0

package push

import "time"

// spread is a policy on its way to the hosts that were connected when it was
// applied. Hub.mu guards it. A newer policy takes its place.
type spread struct {
	version uint64
	began   time.Time
	waiting map[string]bool // hosts that have not said that they run it
}

// begin starts with the hosts that have a stream.
func (s *spread) begin(version uint64, hosts map[string]*host) {
	*s = spread{version: version, began: time.Now(), waiting: map[string]bool{}}
	for name, h := range hosts {
		if h.stream != nil {
			s.waiting[name] = true
		}
	}
}

// reached notes that a host runs a version, or is gone. It reports whether that was
// the last one, and how long all took.
func (s *spread) reached(name string, version uint64) (took time.Duration, all bool) {
	if version != s.version || !s.waiting[name] {
		return 0, false
	}
	delete(s.waiting, name)
	return time.Since(s.began), len(s.waiting) == 0
}
