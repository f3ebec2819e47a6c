// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"math"
	"time"
)

const (
	// ReportEvery is how often an agent is asked to report while its host is an
	// instance of the policy, and SeldomEvery while it is not.
	ReportEvery = 500 * time.Millisecond
	SeldomEvery = 10 * time.Second
	// LateBy is how long a report may be late, and SilentAfter how long a host may be
	// without a connection, before it counts as silent. An agent that is started anew
	// is quicker.
	LateBy      = 1500 * time.Millisecond
	SilentAfter = 2 * time.Second
	// FullTable is the share of sessions that makes a host overloaded when all reports
	// for OverFor have had it, and Report.TooBusy the load of processors that does. It gets better
	// EaseBy below them. Of 1000.
	FullTable = 900
	EaseBy    = 150
	OverFor   = 1500 * time.Millisecond
	// BackAfter is how long what was wrong has to be right. It doubles, up to MaxBack,
	// with each time that the host gets worse within Memory of the last one.
	BackAfter = 5 * time.Second
	MaxBack   = time.Minute
	Memory    = 2 * time.Minute
	// Steps is how many of load there are: policy.FullLoad. A step changes when the
	// load is StepBy of one away from it, and at most every StepEvery.
	Steps     = 16
	StepBy    = 0.75
	StepEvery = time.Second
	// UnknownStep is that of a host that has not reported.
	UnknownStep = Steps / 2
	// smoothing is the share of the newest report in the load that steps follow.
	smoothing = 0.3
)

// State is how a host stands. Append-only; the worse come later.
type State uint8

// The states.
const (
	Unknown    State = iota // nothing was heard yet
	OK                      //
	Overloaded              // more than it can do
	Impaired                // it says itself that it cannot do its part
	Silent                  // its agent is not heard of
	Failed                  // its NF does not do its work: a probe says so
)

// String returns "unknown", "ok", "overloaded", "impaired", "silent" or "failed".
func (s State) String() string {
	switch s {
	case OK:
		return "ok"
	case Overloaded:
		return "overloaded"
	case Impaired:
		return "impaired"
	case Silent:
		return "silent"
	case Failed:
		return "failed"
	}
	return "unknown"
}

// Report is what an agent says of its host. Loads are of 1000.
type Report struct {
	CPU      uint32
	NFCPU    uint32 // 0 if none is watched
	Sessions uint32
	Max      uint32 // sessions that there is room for; 0: unknown
	TooBusy  uint32 // CPU or NFCPU that is too much; 0: none is
	// Failure is why the last probe failed; empty: it did not, or there is none.
	Failure string
	// Impaired is why the host cannot do its part, as its agent knows; empty: it can.
	Impaired string
}

// load is the greatest share of what the host has that is used, of 1000.
func (r Report) load() uint32 {
	return min(max(r.CPU, r.NFCPU, r.full()), 1000)
}

func (r Report) full() uint32 {
	if r.Max == 0 {
		return 0
	}
	return uint32(min(uint64(r.Sessions)*1000/uint64(r.Max), 1000))
}

// over says what of r is within so much of being too much; empty: nothing.
func (r Report) over(within uint32) string {
	limit := r.TooBusy - min(within, r.TooBusy)
	switch {
	case r.full()+within >= FullTable:
		return fmt.Sprintf("its table has %d of %d sessions", r.Sessions, r.Max)
	case r.TooBusy > 0 && r.NFCPU >= limit:
		return fmt.Sprintf("its NF takes %d %% of its processors", r.NFCPU/10)
	case r.TooBusy > 0 && r.CPU >= limit:
		return fmt.Sprintf("its processors are busy to %d %%", r.CPU/10)
	}
	return ""
}

// Verdict is what a Machine has come to.
type Verdict struct {
	State State
	Why   string    // one line; empty for Unknown and OK
	Since time.Time // that State is so; the zero Time: since ever
	Step  uint32    // of load, 0 to Steps
}

// Machine judges one host. "worst" is the worst that is so at the moment:
//
//	Failed      the last report's probe failed
//	Silent      no connection for SilentAfter, or no report when one was due
//	Impaired    the last report says so
//	Overloaded  every report for OverFor has had too much; once it is, until EaseBy less
//	OK          else
//
//	state     worst                      next
//	unknown   any but "nothing heard"    worst
//	any       worse than state           worst, at once
//	any       better than state          worst, when it has been better for BackAfter,
//	                                     or twice, four times as long
type Machine struct {
	verdict Verdict

	lost     time.Time // when the connection ended; zero: there is one, or never was
	reported time.Time // when it last reported on this connection; zero: never
	due      time.Duration
	last     Report
	high     time.Time // since when all reports have had too much; zero: the last had not

	better time.Time // since when the worst is better than the state; zero: it is not
	fell   time.Time // when it last got worse than OK
	back   time.Duration

	smooth  float64 // load that steps follow, of 1000
	stepped time.Time
}

// New returns the machine of a host of which nothing was heard since a time.
func New(since time.Time) *Machine {
	return &Machine{verdict: Verdict{Step: UnknownStep}, lost: since, back: BackAfter, smooth: 1000 * UnknownStep / Steps}
}

// Verdict returns what the machine has come to.
func (m *Machine) Verdict() Verdict { return m.verdict }

// Last returns the last report, and whether there was one.
func (m *Machine) Last() (Report, bool) {
	return m.last, m.verdict.State != Unknown && !m.reported.IsZero()
}

// Connected notes that the host's agent has connected.
func (m *Machine) Connected() { m.lost, m.reported = time.Time{}, time.Time{} }

// Lost notes that the connection has ended.
func (m *Machine) Lost(now time.Time) { m.lost = now }

// Report takes a report. The next one is due in due.
func (m *Machine) Report(r Report, due time.Duration, now time.Time) {
	first := m.reported.IsZero()
	m.last, m.due, m.reported = r, due, now
	if r.over(0) == "" {
		m.high = time.Time{}
	} else if m.high.IsZero() {
		m.high = now
	}
	if first {
		m.smooth = float64(r.load())
	}
	m.smooth += smoothing * (float64(r.load()) - m.smooth)
	m.step(now)
}

// step makes the step of load follow the load.
func (m *Machine) step(now time.Time) {
	exact := m.smooth * Steps / 1000
	if math.Abs(exact-float64(m.verdict.Step)) >= StepBy && now.Sub(m.stepped) >= StepEvery {
		m.verdict.Step, m.stepped = uint32(math.Round(exact)), now
	}
}

// Look comes to a verdict. It is to be called every quarter of a second or so.
func (m *Machine) Look(now time.Time) Verdict {
	worst, why := m.worst(now)
	state := m.verdict.State
	switch {
	case worst == Unknown:
	case state == Unknown, worst > state:
		if worst > OK {
			m.fall(now)
		}
		m.turn(worst, why, now)
	case worst == state:
		m.better = time.Time{}
		m.verdict.Why = why
	case m.better.IsZero():
		m.better = now
	case now.Sub(m.better) >= m.back:
		m.turn(worst, why, now)
	}
	return m.verdict
}

func (m *Machine) turn(s State, why string, now time.Time) {
	m.verdict.State, m.verdict.Why, m.verdict.Since = s, why, now
	m.better = time.Time{}
}

// fall notes that the host gets worse. The machine is the slower to believe that it has
// got better, the more often that was so.
func (m *Machine) fall(now time.Time) {
	switch {
	case m.fell.IsZero() || now.Sub(m.fell) > Memory:
		m.back = BackAfter
	default:
		m.back = min(2*m.back, MaxBack)
	}
	m.fell = now
}

// worst returns the worst that is so, and why.
func (m *Machine) worst(now time.Time) (State, string) {
	switch {
	case !m.lost.IsZero() && now.Sub(m.lost) >= SilentAfter:
		return Silent, "its agent is not connected"
	case m.reported.IsZero():
		if m.lost.IsZero() {
			return OK, "" // connected, by an agent that has not reported yet, or never does
		}
		return m.verdict.State, m.verdict.Why
	case m.lost.IsZero() && now.Sub(m.reported) >= m.due+LateBy:
		return Silent, "its agent has stopped reporting"
	case m.last.Failure != "":
		return Failed, m.last.Failure
	case m.last.Impaired != "":
		return Impaired, m.last.Impaired
	}
	over := !m.high.IsZero() && m.reported.Sub(m.high) >= OverFor
	within := uint32(0)
	if m.verdict.State == Overloaded {
		over, within = true, EaseBy
	}
	if why := m.last.over(within); over && why != "" {
		return Overloaded, why
	}
	return OK, ""
}
