// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"

	"mbchain/proto"
)

// Ask asks policyd for a change of a session's chain, in the name of this host:
// [ErrAway] if there is no subscription. Other errors are those of the call.
func (c *Client) Ask(ctx context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	c.mu.Lock()
	s := c.current
	c.mu.Unlock()
	if s == nil {
		return nil, ErrAway
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r.Host = c.config.Host
	return s.client.Ask(ctx, r)
}
