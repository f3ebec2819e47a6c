// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"mbchain/proto"
)

// ethtoolFlagLRO is ETH_FLAG_LRO of linux/ethtool.h.
const ethtoolFlagLRO = 1 << 15

// offloads asks a device which of them are on; nil, if it knows no such question.
func offloads(device string) (*proto.Offloads, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var o proto.Offloads
	for _, ask := range []struct {
		command uint32
		put     func(value uint32)
	}{
		{unix.ETHTOOL_GTSO, func(v uint32) { o.Tso = v != 0 }},
		{unix.ETHTOOL_GGRO, func(v uint32) { o.Gro = v != 0 }},
		{unix.ETHTOOL_GTXCSUM, func(v uint32) { o.TxChecksum = v != 0 }},
		{unix.ETHTOOL_GFLAGS, func(v uint32) { o.Lro = v&ethtoolFlagLRO != 0 }},
	} {
		value, err := ethtool(fd, device, ask.command)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENODEV) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		ask.put(value)
	}
	return &o, nil
}

// ethtool is SIOCETHTOOL for the commands that return one value.
func ethtool(fd int, device string, command uint32) (uint32, error) {
	value := struct{ command, data uint32 }{command: command} // struct ethtool_value
	var request struct {                                      // struct ifreq
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	if copy(request.name[:unix.IFNAMSIZ-1], device) < len(device) {
		return 0, unix.ENODEV
	}
	request.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&value)
	if errno != 0 {
		return 0, errno
	}
	return value.data, nil
}
