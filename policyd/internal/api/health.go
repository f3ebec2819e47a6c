// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"
	"time"
	"unicode"

	"mbchain/policyd/internal/health"
	"mbchain/proto"
)

const (
	// judgeEvery is how often hosts are judged: a part of the time in which new
	// sessions have to turn away from one that does not work.
	judgeEvery = 250 * time.Millisecond
	// maxReason is the longest reason that a report may give, in bytes.
	maxReason = 200
	// maxPermille is the greatest load that is taken for meant.
	maxPermille = 1000
)

// Report implements AgentService.
func (s agentService) Report(ctx context.Context, r *proto.ReportRequest) (*proto.ReportResponse, error) {
	report, err := checkReport(r)
	if err != nil {
		return nil, err
	}
	if err := s.mayBe(ctx, r.Host); err != nil {
		return nil, err
	}
	next, err := s.Hub.Report(r.Host, report, r.Load)
	if err != nil {
		return nil, coded(err)
	}
	return &proto.ReportResponse{NextMs: uint32(next.Milliseconds())}, nil
}

// checkReport reads a report.
func checkReport(r *proto.ReportRequest) (health.Report, error) {
	if err := checkHostName(r.Host); err != nil {
		return health.Report{}, err
	}
	load := r.Load
	switch {
	case load == nil:
		return health.Report{}, invalid("load: none is given")
	case load.CpuPermille > maxPermille || load.GetNfCpuPermille() > maxPermille || load.TooBusyPermille > maxPermille:
		return health.Report{}, invalid("load: %d, %d and %d of %d", load.CpuPermille, load.GetNfCpuPermille(), load.TooBusyPermille, maxPermille)
	case proto.Probe_name[int32(load.Probe)] == "":
		return health.Report{}, invalid("probe: %d is unknown", load.Probe)
	case !isLine(load.ProbeError) || !isLine(load.Impaired):
		return health.Report{}, invalid("probe_error, impaired: %d and %d bytes, at most %d are allowed, of what can be printed",
			len(load.ProbeError), len(load.Impaired), maxReason)
	}
	report := health.Report{
		CPU: load.CpuPermille, NFCPU: load.GetNfCpuPermille(), Sessions: load.Sessions, Max: load.MaxSessions, Impaired: load.Impaired, TooBusy: load.TooBusyPermille,
	}
	if load.Probe == proto.Probe_PROBE_FAILED {
		report.Failure = "its probe failed"
		if load.ProbeError != "" {
			report.Failure += ": " + load.ProbeError
		}
	}
	return report, nil
}

// isLine reports whether a text is a reason for people, or none.
func isLine(text string) bool {
	return len(text) <= maxReason && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// watchHealth judges hosts until ctx ends, where this policyd leads.
func (s *Server) watchHealth(ctx context.Context) { every(ctx, judgeEvery, s.judge) }

func (s *Server) judge() {
	for _, t := range s.Hub.Look() {
		log := s.Logger.With("host", t.Host, "from", t.From.String(), "state", t.Verdict.State.String())
		if t.Verdict.State > health.OK {
			log.Warn("host is not fit for new sessions", "reason", t.Verdict.Why)
			continue
		}
		log.Info("host is fit for new sessions")
	}
}
