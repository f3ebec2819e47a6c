// SPDX-License-Identifier: Apache-2.0

package peer

// Reached returns to how many other hosts this one has a connection open that it
// opened itself, and how many of those that it wants to reach it does not.
func (n *Node) Reached() (reached, not int) { return n.pool.count() }

func (p *pool) count() (reached, not int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		switch {
		case l.conn != nil && l.conn.Context().Err() == nil:
			reached++
		case l.err != nil:
			not++
		}
	}
	return reached, not
}
