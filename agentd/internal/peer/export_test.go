// SPDX-License-Identifier: Apache-2.0

package peer

// Kill ends the node as SIGKILL would: its connections are not closed.
func (n *Node) Kill() { _ = n.socket.Close() }
