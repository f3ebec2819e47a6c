// SPDX-License-Identifier: Apache-2.0

package push

import "sync"

// memo is what was worked out already, by what. Who asks for the same at the same time
// waits for the one who works it out, and others do not.
type memo[K comparable, V any] struct {
	mu   sync.Mutex
	made map[K]func() V
}

func (m *memo[K, V]) get(key K, work func() V) V {
	m.mu.Lock()
	made, known := m.made[key]
	if !known {
		if m.made == nil {
			m.made = map[K]func() V{}
		}
		made = sync.OnceValue(work)
		m.made[key] = made
	}
	m.mu.Unlock()
	return made()
}
