// SPDX-License-Identifier: Apache-2.0

package push

import (
	"context"
	"time"

	"connectrpc.com/connect"

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

// noReports is the time between two reports to a policyd that wants none.
const noReports = time.Minute

// Report tells policyd how much the host has to do, in the name of this host, and returns
// when the next report is wanted: [ErrAway] if there is no subscription.
func (c *Client) Report(ctx context.Context, r *proto.LoadReport) (time.Duration, error) {
	c.mu.Lock()
	s := c.current
	c.mu.Unlock()
	if s == nil {
		return 0, ErrAway
	}
	answer, err := s.client.Report(ctx, &proto.ReportRequest{Host: c.config.Host, Load: r})
	if connect.CodeOf(err) == connect.CodeUnimplemented {
		return noReports, nil // by a policyd of an older release
	}
	if err != nil {
		return 0, err
	}
	return time.Duration(answer.NextMs) * time.Millisecond, nil
}
