// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"mbchain/identity"
)

// tellEvery is how often a refusal for one reason is logged as a warning: strangers
// must not fill the disk.
const tellEvery = time.Second

// Revoke makes the node take no certificate of these hosts that is of an earlier
// epoch, in place of what it was told before. Connections with such a one end at
// once. A node that was started anew knows of none until it is told.
func (n *Node) Revoke(epochs map[string]uint32) {
	n.mu.Lock()
	n.epochs = epochs
	open := maps.Clone(n.live)
	n.mu.Unlock()
	for conn := range open {
		if err := n.valid(conn.ConnectionState().TLS.PeerCertificates[0]); err != nil {
			_ = conn.CloseWithError(codeOver, "the certificate was revoked")
		}
	}
	n.pool.revoke(n.valid)
}

// valid says whether a certificate was revoked.
func (n *Node) valid(c *x509.Certificate) error {
	who, err := identity.SubjectOf(c)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if who.Epoch < n.epochs[who.Name] {
		return fmt.Errorf("%w: %s", identity.ErrRevoked, who)
	}
	return nil
}

// refused counts and logs a host that was not let in.
func (n *Node) refused(from net.Addr, err error) {
	reason, level, now := identity.Reason(err), slog.LevelDebug, time.Now()
	n.mu.Lock()
	n.refusals[reason]++
	if now.Sub(n.told[reason]) >= tellEvery {
		n.told[reason], level = now, slog.LevelWarn
	}
	n.mu.Unlock()
	log := n.config.Log.With("peer", from, "reason", reason)
	log.Log(context.Background(), level, "host refused", "error", err)
}

// Refusals returns how many hosts were not let in, by reason.
func (n *Node) Refusals() map[string]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.refusals)
}

// entered notes a connection that another host opened, unless its certificate was
// revoked meanwhile.
func (n *Node) entered(conn *quic.Conn) error {
	n.mu.Lock()
	n.live[conn] = struct{}{}
	n.mu.Unlock()
	return n.valid(conn.ConnectionState().TLS.PeerCertificates[0])
}

func (n *Node) left(conn *quic.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.live, conn)
}
