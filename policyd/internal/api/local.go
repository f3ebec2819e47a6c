// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"mbchain/unixsocket"
)

// ListenLocal opens the unix socket for root on this host, in place of one that a
// policyd which was killed left behind.
func ListenLocal(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen on %s: %w (--socket says where)", path, err)
	}
	if c, err := net.Dial("unix", path); err == nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: another policyd is running (--socket says where)", path), c.Close())
	}
	// Who connects is asked for by the kernel in any case, see localCaller.
	l, err := unixsocket.Listen(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (--socket says where)", path, err)
	}
	return l, nil
}
