// SPDX-License-Identifier: Apache-2.0

package examine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mbchain/proto"
)

// number reads a file of /proc or /sys that holds one number from 0 on.
func (e *Examiner) number(path string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(e.config.Root+"/", path))
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// sysctl reads a setting below /proc/sys; one that is not there is 0 and no problem.
func (e *Examiner) sysctl(x *proto.Examination, path string) (value uint64, there bool) {
	value, err := e.number("proc/sys/" + path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, false
	case err != nil:
		x.Problems = append(x.Problems, fmt.Sprintf("read setting: %v", err))
		return 0, false
	}
	return value, true
}

// settings adds those that hold for the host as a whole.
func (e *Examiner) settings(x *proto.Examination) {
	forward4, _ := e.sysctl(x, "net/ipv4/ip_forward")
	forward6, _ := e.sysctl(x, "net/ipv6/conf/all/forwarding")
	x.Forward4, x.Forward6 = forward4 != 0, forward6 != 0
	if liberal, there := e.sysctl(x, "net/netfilter/nf_conntrack_tcp_be_liberal"); there {
		entries, _ := e.sysctl(x, "net/netfilter/nf_conntrack_count")
		x.Conntrack = &proto.Conntrack{Entries: entries, Liberal: liberal != 0}
	}
}
