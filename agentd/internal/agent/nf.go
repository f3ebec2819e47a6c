// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"

	"mbchain/agentd/internal/kernel"
)

// arrange makes the module hand packets to the NF as configured, if it does not:
// a module that was loaded anew, or one whose device went and came back. It says
// what stands in the way once, and tries again at every probe. The error is for a
// module that should take no part in sessions until then: it is new, and their
// packets would go past an NF that all of them have to pass.
func (f *follower) arrange(ctx context.Context, info kernel.Info) error {
	want := f.config.NF
	var err error
	if info.NF != want {
		err = f.kernel.SetNF(ctx, want)
		if err == nil {
			f.log.Info("NF in place", "nf", want)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	past := err != nil && want.Redirects() && !info.NF.Redirects()
	f.mu.Lock()
	told := f.nfErr
	f.nfErr, f.nfPast = err, past
	f.mu.Unlock()
	if err != nil && (told == nil || told.Error() != err.Error()) {
		f.log.Warn("NF not in place, tried again every second", "nf", want, "error", err)
	}
	if past && info.Version == 0 && len(info.KeyIDs) == 0 {
		return err
	}
	return nil
}

// PastNF reports whether packets would go past an NF that they have to pass, so
// that this host should take part in no new session.
func (a *Agent) PastNF() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nfPast
}
