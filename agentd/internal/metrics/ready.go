// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"

	"mbchain/agentd/internal/agent"
)

// Ready returns what says why a host does not chain sessions; nil: it does. It waits
// for nobody.
func Ready(snapshot func() agent.Snapshot) func(context.Context) error {
	return func(context.Context) error {
		s := snapshot()
		switch {
		case !s.Present:
			return fmt.Errorf("the kernel module does not answer: %s", s.Policy.Problem)
		case s.PastNF:
			return errors.New("packets would go past the network function: mbctl host list says what its device lacks")
		case s.Policy.Running == 0 && s.Policy.Problem != "":
			return fmt.Errorf("no policy is in force: %s", s.Policy.Problem)
		case s.Policy.Running == 0 && !s.Connected:
			return errors.New("no policy is in force, and policyd is not reached: look at the log, and at --policyd")
		case s.Policy.Running == 0:
			return errors.New("no policy is in force: mbctl policy apply FILE")
		}
		return nil
	}
}
