// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"mbchain/proto"
)

// migrationView is a migration in JSON; migrate show prints one.
type migrationView struct {
	ID        string        `json:"id"`
	Job       string        `json:"job"`
	Session   string        `json:"session"`
	Super     *tupleView    `json:"super"`
	LedBy     string        `json:"led_by"`
	Left      hostRefView   `json:"left"`  // anchors
	Right     hostRefView   `json:"right"` // stay
	Old       []hostRefView `json:"old"`   // leave
	New       []hostRefView `json:"new"`   // come
	Guarantee string        `json:"guarantee"`
	NFState   []nfStateView `json:"nf_state"`
	Patience  uint32        `json:"patience_ms"`
	Overflow  string        `json:"overflow"` // abort or drop
	State     string        `json:"state"`
	Why       *whyView      `json:"why"` // null: nothing went wrong
	Tries     uint32        `json:"tries"`
	Messages  uint32        `json:"messages"`
	Began     string        `json:"began"`   // RFC 3339
	TookUs    uint64        `json:"took_us"` // 0: not over
	Steps     []stepView    `json:"steps"`
}

type hostRefView struct {
	Host    string `json:"host"` // empty: nobody is known by the address
	Address string `json:"address"`
}

type nfStateView struct {
	From   hostRefView `json:"from"`
	To     hostRefView `json:"to"`
	Method string      `json:"method"`
}

type whyView struct {
	Reason  string `json:"reason"`
	Host    string `json:"host"`
	Address string `json:"address"`
}

type stepView struct {
	Name string   `json:"name"`
	AtUs uint64   `json:"at_us"`
	Why  *whyView `json:"why"`
}

// countsView is how many migrations there are in JSON.
type countsView struct {
	Queued   uint32 `json:"queued"`
	Running  uint32 `json:"running"`
	Done     uint32 `json:"done"`
	Failed   uint32 `json:"failed"`
	MedianUs uint64 `json:"median_us"`
	P99Us    uint64 `json:"p99_us"`
	SpanUs   uint64 `json:"span_us"`
}

func viewCounts(c *proto.MigrationCounts) countsView {
	return countsView{
		Queued: c.GetQueued(), Running: c.GetRunning(), Done: c.GetDone(), Failed: c.GetFailed(),
		MedianUs: c.GetMedianUs(), P99Us: c.GetP99Us(), SpanUs: c.GetSpanUs(),
	}
}

func (n hostNames) view(m *proto.Migration) migrationView {
	p := m.GetPlan()
	v := migrationView{
		ID:        id64Text(m.Id),
		Job:       id64Text(m.Job),
		Session:   sessionText(p.GetSession()),
		Super:     viewTuple(p.GetSuper()),
		LedBy:     m.LeftHost,
		Left:      n.ref(p.GetLeft()),
		Right:     n.ref(p.GetRight()),
		Old:       n.refs(p.GetOld()),
		New:       n.refs(p.GetNew()),
		Guarantee: guaranteeText(p.GetGuarantee()),
		NFState:   []nfStateView{},
		Patience:  p.GetPatienceMs(),
		Overflow:  overflowText(p),
		State:     m.State,
		Why:       n.viewWhy(m.Why),
		Tries:     m.Tries,
		Messages:  m.Messages,
		TookUs:    tookMicros(m),
		Steps:     []stepView{},
	}
	if m.BeganUnixUs != 0 {
		v.Began = time.UnixMicro(m.BeganUnixUs).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
	}
	for _, s := range p.GetState() {
		v.NFState = append(v.NFState, nfStateView{n.ref(s.From), n.ref(s.To), methodText(s.Method)})
	}
	for _, s := range m.Steps {
		v.Steps = append(v.Steps, stepView{s.Name, s.AtUs, n.viewWhy(s.Why)})
	}
	return v
}

func (n hostNames) views(list []*proto.Migration) []migrationView {
	views := make([]migrationView, 0, len(list))
	for _, m := range list {
		views = append(views, n.view(m))
	}
	return views
}

func (n hostNames) ref(address string) hostRefView { return hostRefView{n[address], address} }

func (n hostNames) refs(addresses []string) []hostRefView {
	views := make([]hostRefView, 0, len(addresses))
	for _, a := range addresses {
		views = append(views, n.ref(a))
	}
	return views
}

func (n hostNames) viewWhy(why *proto.MigrateWhy) *whyView {
	if why.GetReason() == "" {
		return nil
	}
	return &whyView{why.Reason, n[why.Address], why.Address}
}

// overflowText is what becomes of what is held and too much.
func overflowText(p *proto.MigratePlan) string {
	if p.GetOverflowDrop() {
		return "drop"
	}
	return "abort"
}
