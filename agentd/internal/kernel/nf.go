// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"

	"mbchain/genl"
)

// maxDeviceName is IFNAMSIZ without the NUL.
const maxDeviceName = 15

// An NF is how the host's network function gets the packets of sessions. The
// zero NF is inline. NFs may be compared.
type NF struct {
	mode    genl.NFMode
	devices [2]string // of tap the first, of redirect both; empty: none, or gone
}

// nfModes are the modes as they are written, and how many devices each takes.
var nfModes = []struct {
	name    string
	mode    genl.NFMode
	devices int
}{
	{"inline", genl.NFInline, 0},
	{"none", genl.NFNone, 0},
	{"tap", genl.NFTap, 1},
	{"redirect", genl.NFRedirect, 2},
}

var errNF = errors.New("want inline, none, tap:DEVICE or redirect:IN,OUT")

// ParseNF reads "inline", "none", "tap:DEVICE" or "redirect:IN,OUT".
func ParseNF(text string) (NF, error) {
	word, list, listed := strings.Cut(text, ":")
	for _, m := range nfModes {
		if m.name != word {
			continue
		}
		var names []string
		if listed {
			names = strings.Split(list, ",")
		}
		if len(names) != m.devices {
			return NF{}, errNF
		}
		nf := NF{mode: m.mode}
		for i, name := range names {
			if err := checkDeviceName(name); err != nil {
				return NF{}, err
			}
			nf.devices[i] = name
		}
		if m.devices == 2 && names[0] == names[1] {
			return NF{}, fmt.Errorf("device %s twice: packets go in by one and out by another", names[0])
		}
		return nf, nil
	}
	return NF{}, errNF
}

// checkDeviceName is the kernel's dev_valid_name().
func checkDeviceName(name string) error {
	odd := func(r rune) bool { return r == '/' || r == ':' || unicode.IsSpace(r) }
	if name == "" || name == "." || name == ".." || len(name) > maxDeviceName || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%q is not the name of a network device; ip link lists them", name)
	}
	return nil
}

// String returns what [ParseNF] reads. The place of a device that is gone is
// empty.
func (nf NF) String() string {
	for _, m := range nfModes {
		if m.mode != nf.mode {
			continue
		}
		if m.devices == 0 {
			return m.name
		}
		return m.name + ":" + strings.Join(nf.devices[:m.devices], ",")
	}
	return nf.mode.String()
}

// Redirects reports whether packets pass the NF only if it is there: without it
// they would go past.
func (nf NF) Redirects() bool { return nf.mode == genl.NFRedirect }

// Without returns an NF whose device of that name is gone.
func (nf NF) Without(device string) NF {
	for i, d := range nf.devices {
		if d == device {
			nf.devices[i] = ""
		}
	}
	return nf
}

func nfOf(in genl.NF) NF {
	nf := NF{mode: in.Mode}
	copy(nf.devices[:], in.Devices)
	return nf
}

// SetNF says how the host's NF gets its packets, from the next packet on.
func (k *Kernel) SetNF(ctx context.Context, nf NF) error {
	client, err := k.dialled()
	if err != nil {
		return err
	}
	set := genl.NF{Mode: nf.mode}
	for _, name := range nf.devices {
		if name != "" {
			set.Devices = append(set.Devices, name)
		}
	}
	err = client.SetNF(ctx, set)
	if errors.Is(err, genl.ErrNoDevice) { // the module does not say which
		if missing := missingOf(set.Devices); len(missing) > 0 {
			return fmt.Errorf("set NF: %w: %s", genl.ErrNoDevice, strings.Join(missing, ", "))
		}
	}
	return classified(err)
}

func missingOf(devices []string) []string {
	return slices.DeleteFunc(slices.Clone(devices), func(name string) bool {
		_, err := net.InterfaceByName(name)
		return err == nil
	})
}
