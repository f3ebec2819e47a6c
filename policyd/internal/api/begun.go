// SPDX-License-Identifier: Apache-2.0

package api

// Begun is told how many migrations agents have taken on, and for whom.
type Begun func(who string, n int)

// Who migrations are begun for.
const (
	ForOperator = "operator" // mbctl migrate
	ForHost     = "host"     // an NF that asked
	ForPolicy   = "policy"   // live-sessions migrate
	ForHealth   = "health"   // an instance that is drained, overloaded or failed
)

// tellBegun tells who wants to know.
func (s *Server) tellBegun(who string, n uint32) {
	if s.Begun != nil {
		s.Begun(who, int(n))
	}
}
