// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/proto"
)

// disk is a Disk in memory.
type disk struct {
	mu      sync.Mutex
	sub     *proto.Subpolicy
	loadErr error
	saveErr error
}

func (d *disk) Load() (*proto.Subpolicy, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sub, d.loadErr
}

func (d *disk) Save(sub *proto.Subpolicy) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.saveErr == nil {
		d.sub = sub
	}
	return d.saveErr
}

// mend makes saves succeed from now on.
func (d *disk) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saveErr = nil
}

var errDisk = errors.New("disk is broken")

// policyd is a Policyd that notes the answers.
type policyd struct {
	acks chan subpolicy.Acknowledge
	mu   sync.Mutex
	subs int // calls of Resubscribe

	reports []*proto.LoadReport
	next    time.Duration // that Report returns

	asked  []*proto.AskRequest
	askErr error
}

// Address implements Policyd.
func (*policyd) Address() string { return "policyd1:7400" }

func newPolicyd() *policyd { return &policyd{acks: make(chan subpolicy.Acknowledge, 16)} }

func (p *policyd) Connected() bool { return true }

func (p *policyd) Ahead() (time.Duration, bool) { return 1500 * time.Millisecond, true }

func (p *policyd) Acknowledge(_ context.Context, a subpolicy.Acknowledge) { p.acks <- a }

func (p *policyd) Resubscribe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.subs++
}

func (p *policyd) resubscribed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.subs
}

func (p *policyd) Ask(_ context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r)
	return &proto.AskResponse{Job: 7, Id: 0x10, Session: r.GetSession()}, p.askErr
}

func (p *policyd) Report(_ context.Context, r *proto.LoadReport) (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, r)
	return p.next, nil
}

// wants has the next report be wanted in so long.
func (p *policyd) wants(next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
}

// reported returns the reports since the last call.
func (p *policyd) reported() []*proto.LoadReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.reports
	p.reports = nil
	return r
}
