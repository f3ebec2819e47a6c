// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"mbchain/proto"
)

// maxDevices is how many devices are listed, as examine.proto promises.
const maxDevices = 64

// devices adds the host's devices, in the order of their numbers, and returns their
// MTUs, each once, the largest first.
func (e *Examiner) devices(x *proto.Examination) []int {
	all, err := net.Interfaces()
	if err != nil {
		x.Problems = append(x.Problems, fmt.Sprintf("list devices: %v", err))
		return nil
	}
	everywhere, _ := e.sysctl(x, "net/ipv4/conf/all/rp_filter")
	var mtus []int
	for _, d := range all {
		if d.Flags&net.FlagUp == 0 || d.Flags&net.FlagLoopback != 0 {
			continue
		}
		mtus = append(mtus, d.MTU)
		if len(x.Devices) == maxDevices {
			continue
		}
		own, _ := e.sysctl(x, "net/ipv4/conf/"+d.Name+"/rp_filter")
		device := &proto.Device{
			Name: d.Name, Mtu: uint32(d.MTU), RpFilter: uint32(max(everywhere, own)), // as fib_frontend.c takes it
			Hardware: e.exists("sys/class/net/" + d.Name + "/device"),
		}
		if device.Offloads, err = offloads(d.Name); err != nil {
			x.Problems = append(x.Problems, fmt.Sprintf("ask device %s for its offloads: %v", d.Name, err))
		}
		x.Devices = append(x.Devices, device)
	}
	slices.Sort(mtus)
	slices.Reverse(mtus)
	return slices.Compact(mtus)
}

func (e *Examiner) exists(path string) bool {
	_, err := os.Stat(filepath.Join(e.config.Root+"/", path))
	return err == nil
}
