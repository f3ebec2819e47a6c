// SPDX-License-Identifier: Apache-2.0

// Package examine gathers what mbctl doctor wants to know of a host: settings of its
// kernel, its devices, its certificate, and whether it reaches its neighbours and by
// packets of which size. It changes nothing and judges nothing.
//
// It reads /proc and /sys, asks devices by ioctl, and sends ICMP echo requests, for
// which it needs CAP_NET_RAW. An [Examiner] may be used by several goroutines, of which it
// lets one at a time examine.
package examine
