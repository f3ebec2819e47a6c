// SPDX-License-Identifier: Apache-2.0

package unixsocket

import (
	"errors"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ErrOtherFile: at the path is something that is no socket.
var ErrOtherFile = errors.New("there is a file that is no socket")

// Listen opens the socket at path with the permissions mode. A socket that is there
// already is replaced: the caller knows that nobody serves it. Anything else stays,
// [ErrOtherFile]. Closing the listener removes the socket.
//
// It sets the umask of the process for a moment.
func Listen(path string, mode fs.FileMode) (*net.UnixListener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, ErrOtherFile
	default:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The socket gets its mode when it comes to be: set afterwards, there would
	// be a moment with another one.
	old := unix.Umask(0o777 &^ int(mode))
	defer unix.Umask(old)
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}
