// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mbchain/agentd/internal/kernel"
	"mbchain/agentd/internal/load"
	"mbchain/agentd/internal/probe"
	"mbchain/proto"
)

const (
	// reportFirst is the time between two tries while policyd has not said when it
	// wants a report.
	reportFirst = time.Second
	// reportLeast and reportMost are the bounds of what it may ask for, as
	// agent.proto has them.
	reportLeast = 500 * time.Millisecond
	reportMost  = time.Minute
	// reportFor is how long a report may be under way.
	reportFor = 2 * time.Second
	// maxReason is how much is told of what is wrong, in bytes: what agent.proto
	// promises.
	maxReason = 200
	noModule  = "the module does not answer"
)

// A Meter measures how busy the host is; see package load.
type Meter interface {
	Look() (load.Load, error)
	Watches() bool
}

// A Probe finds out whether the NF does its work; see package probe.
type Probe interface {
	Result() probe.Result
}

// ReportNow has the next report go at once: the probe has found something new.
func (a *Agent) ReportNow() {
	select {
	case a.reportDue <- struct{}{}:
	default: // one is due already
	}
}

// report tells policyd how much the host has to do, as often as it wants to know, until
// ctx is done.
func (a *Agent) report(ctx context.Context) {
	if a.config.Meter == nil {
		return
	}
	next, told := reportFirst, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		case <-a.reportDue:
		}
		if !a.policyd.Connected() {
			next = reportFirst
			continue
		}
		r, err := a.loadReport(ctx)
		if err == nil && r == nil {
			continue // nothing is known yet
		}
		if err == nil {
			next, err = a.sendReport(ctx, r)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			told = false
		default:
			next = reportFirst
			if !told && a.policyd.Connected() {
				told = true
				a.log.Warn("load not reported", "error", err)
			}
		}
	}
}

func (a *Agent) sendReport(ctx context.Context, r *proto.LoadReport) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, reportFor)
	defer cancel()
	next, err := a.policyd.Report(ctx, r)
	return min(max(next, reportLeast), reportMost), err
}

// loadReport returns what there is to report, nil before the first look at the module.
func (a *Agent) loadReport(ctx context.Context) (*proto.LoadReport, error) {
	a.mu.Lock()
	looked, seen, nfErr := a.looked, a.seen, a.nfErr
	a.mu.Unlock()
	if !looked {
		return nil, nil
	}
	busy, err := a.config.Meter.Look()
	if err != nil {
		return nil, err
	}
	r := &proto.LoadReport{CpuPermille: busy.CPU, TooBusyPermille: a.config.TooBusy}
	if a.config.Meter.Watches() {
		r.NfCpuPermille = &busy.NF
	}
	if a.config.Probe != nil {
		if found := a.config.Probe.Result(); found.Failed {
			r.Probe, r.ProbeError = proto.Probe_PROBE_FAILED, reason(found.Why)
		} else if found.Done {
			r.Probe = proto.Probe_PROBE_PASSED
		}
	}
	// Without these no probe of the operator's is needed to know.
	switch {
	case seen == nil:
		r.Impaired = noModule
		return r, nil
	case nfErr != nil:
		r.Impaired = reason(nfErr.Error())
	}
	r.Sessions, r.MaxSessions = seen.Sessions, seen.MaxSessions
	counters, err := a.kernel.Counters(ctx)
	if errors.Is(err, kernel.ErrAbsent) {
		r.Impaired = noModule
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	traffic := kernel.TrafficOf(counters)
	r.Packets, r.Drops = traffic.Packets, traffic.Drops
	return r, nil
}

// reason is a text as a report may carry it: a line, cut.
func reason(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	for n := range text {
		if n > maxReason-utf8.UTFMax {
			return text[:n]
		}
	}
	return text
}
