// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// symbols are the functions of a kernel and its modules, by address.
type symbols []symbol

type symbol struct {
	addr uint64
	name string
}

// readSymbols reads /proc/kallsyms.
func readSymbols(r io.Reader) (symbols, error) {
	var all symbols
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var addr uint64
		var kind, name string
		if _, err := fmt.Sscanf(lines.Text(), "%x %s %s", &addr, &kind, &name); err != nil {
			return nil, fmt.Errorf("read symbol %q: %w", lines.Text(), err)
		}
		if !strings.ContainsAny(kind, "tTwW") {
			continue
		}
		if _, module, ok := strings.Cut(lines.Text(), "\t"); ok && module == "[mbchain]" {
			name += " *"
		}
		all = append(all, symbol{addr, name})
	}
	if len(all) == 0 || all[0].addr == all[len(all)-1].addr {
		return nil, fmt.Errorf("read symbols: no addresses: the guest hides them")
	}
	slices.SortStableFunc(all, func(a, b symbol) int { return cmp.Compare(a.addr, b.addr) })
	return all, lines.Err()
}

// Functions are shorter than this. What lies further behind the last symbol of
// a module is no part of it.
const longest = 1 << 14

// function names what addr lies in.
func (s symbols) function(addr uint64) string {
	i, found := slices.BinarySearchFunc(s, addr, func(sym symbol, addr uint64) int {
		return cmp.Compare(sym.addr, addr)
	})
	if !found {
		i--
	}
	if i < 0 || addr-s[i].addr >= longest {
		return "(no name: BPF programs)"
	}
	for i > 0 && s[i-1].addr == s[i].addr {
		i--
	}
	return s[i].name
}
