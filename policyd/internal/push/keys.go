// SPDX-License-Identifier: Apache-2.0

package push

import (
	"mbchain/policyd/internal/rotate"
	"mbchain/policyd/internal/store"
)

// KeyHolders returns which hosts have loaded what, by name.
func (h *Hub) KeyHolders() []rotate.Host {
	var list []rotate.Host
	h.each(func(record store.Host, e host) {
		list = append(list, rotate.Host{Name: record.Name, Connected: e.stream != nil, Acked: e.loaded})
	})
	return list
}
