// SPDX-License-Identifier: Apache-2.0

// Package health judges the host of a network function by what its agent reports: is
// it fit for new sessions?
//
//   - A [Report] is what an agent says of its host once.
//   - A [Machine] has the reports of one host and comes to a [Verdict]. It gets worse
//     at once, and better only when what was wrong has been right for a while, which is
//     the longer the more often it has come and gone: nothing flaps.
//
// The package is pure: times come from outside, and never go back. A Machine is for one
// goroutine at a time. What an operator has drained is not its business.
package health
