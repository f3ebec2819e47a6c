// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"log/slog"
	"net"
)

// What a service manager may be told with [Notify]; see sd_notify(3).
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
)

// Notify tells the service manager how the program is. socket is where it listens, which
// it has put into NOTIFY_SOCKET: a path, or "@" and an abstract name; empty: nobody
// wants to know. That it could not be told is logged, and changes nothing.
func Notify(socket, state string, log *slog.Logger) {
	if socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err == nil {
		defer conn.Close()
		_, err = conn.Write([]byte(state))
	}
	if err != nil {
		log.Warn("service manager not told", "error", err)
	}
}
