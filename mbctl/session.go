// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"math"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/mbctl/internal/chainview"
	"mbchain/proto"
)

func (w *world) sessionCommand() *cli.Command {
	return &cli.Command{
		Name:  "session",
		Usage: "list sessions and draw their chains",
		Description: describe("A session is one connection of two applications and the chain that carries it.",
			"mbctl session list --match 'dstport=80'", "mbctl session show 3f9ac0de"),
		Subcommands: []*cli.Command{w.sessionListCommand(), w.sessionShowCommand()},
	}
}

// sessions is what a source answered, joined into chains.
type sessions struct {
	chains    []chainview.Chain
	missing   []*proto.Missing
	truncated bool
}

// sessions asks for the sessions whose id begins with the hexadecimal prefix
// and that pass the filter. names may be nil.
func (w *world) sessions(c *cli.Context, from *source, prefix string, names map[string]string) (*sessions, error) {
	keep, err := w.newFilter(c)
	if err != nil {
		return nil, err
	}
	limit := c.Uint("limit")
	if limit > math.MaxUint32 {
		return nil, usagef("read --limit %d: at most %d", limit, uint32(math.MaxUint32))
	}
	req := &proto.ListSessionsRequest{Host: c.String("host"), Limit: uint32(limit)}
	// The protocol knows whole bytes; the odd digit is filtered here.
	if req.Id, err = hex.DecodeString(prefix[:len(prefix)&^1]); err != nil || len(prefix) > 32 {
		return nil, usagef("read session id %q: want 1 to 32 hexadecimal digits", prefix)
	}
	got, err := from.ListSessions(c.Context, req)
	if err != nil {
		return nil, from.failed(err)
	}
	s := &sessions{missing: got.Missing, truncated: got.Truncated}
	for _, chain := range chainview.Join(got.Sessions, names) {
		if strings.HasPrefix(chain.ID, prefix) && keep.chain(chain) {
			s.chains = append(s.chains, chain)
		}
	}
	return s, nil
}

// warn says on stderr what is not in the answer.
func (s *sessions) warn(w *world) {
	if s.truncated {
		w.warnf("a host has more sessions than it was asked for: the list is cut and chains may lack hosts; raise --limit")
	}
	w.warnMissing(s.missing)
}

func (w *world) warnMissing(missing []*proto.Missing) {
	for _, m := range missing {
		w.warnf("no answer from host %s: %s", m.Host, m.Error)
	}
}

// missingView is in JSON a host that did not answer.
type missingView struct {
	Host  string `json:"host"`
	Error string `json:"error"`
}

func viewMissing(missing []*proto.Missing) []missingView {
	views := make([]missingView, 0, len(missing))
	for _, m := range missing {
		views = append(views, missingView{Host: m.Host, Error: m.Error})
	}
	return views
}
