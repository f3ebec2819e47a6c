// SPDX-License-Identifier: Apache-2.0

package setup_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// observed takes down how set-ups end.
type observed struct {
	mu   sync.Mutex
	told map[string]int
	most time.Duration
}

func (o *observed) Over(own, agreed bool, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told == nil {
		o.told = make(map[string]int)
	}
	o.told[fmt.Sprintf("own=%t agreed=%t", own, agreed)]++
	o.most = max(o.most, took)
}

func TestObserver(t *testing.T) {
	tests := []struct {
		name    string
		trouble func(d *domain)
		want    []map[string]int // from left to right
	}{
		{"all agree", func(*domain) {}, []map[string]int{
			{"own=true agreed=true": 1}, {"own=false agreed=true": 1}, {"own=false agreed=true": 1},
		}},
		{"server refuses", func(d *domain) { d.hosts[2].module.RefuseInstall("table_full") }, []map[string]int{
			{"own=true agreed=false": 1}, {"own=false agreed=false": 1}, {"own=false agreed=false": 1},
		}},
		{"server is away", func(d *domain) { d.away["server"] = errors.New("no route") }, []map[string]int{
			{"own=true agreed=false": 1}, {"own=false agreed=false": 1}, nil,
		}},
		{"middlebox has no NF", func(d *domain) { d.hosts[1].closed.Store(true) }, []map[string]int{
			{"own=true agreed=false": 1}, {"own=false agreed=false": 1}, nil,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 1)
				tt.trouble(d)
				d.hosts[0].module.Want(d.part(1), false)
				time.Sleep(time.Minute)
				synctest.Wait()
				for i, h := range d.hosts {
					if diff := cmp.Diff(tt.want[i], h.observed.told); diff != "" {
						t.Errorf("%s was told (-want +got):\n%s", h.name, diff)
					}
					if h.observed.most > 10*time.Second {
						t.Errorf("%s: a set-up took %v", h.name, h.observed.most)
					}
					if own, asked := h.service.UnderWay(); own+asked != 0 {
						t.Errorf("%s: %d and %d under way", h.name, own, asked)
					}
				}
			})
		})
	}
}

// What a left neighbour's stream said when nobody listened any more was waited for
// until the agent stopped: each set-up that a neighbour had asked for counted as under
// way for ever, and after 4,096 of them a host refused all others as busy.
func TestSetupsThatAreOverAreNotUnderWay(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(d *domain)
	}{
		{"done", func(*domain) {}},
		{"refused", func(d *domain) { d.hosts[2].module.RefuseInstall("table_full") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDomain(t, 1)
				for i := range 20 {
					if i == 10 {
						tt.spoil(d)
					}
					d.hosts[0].module.Want(d.part(byte(i+1)), false)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				for _, h := range d.hosts {
					if own, asked := h.service.UnderWay(); own+asked != 0 {
						t.Errorf("%s: %d set-ups of its own and %d others under way", h.name, own, asked)
					}
				}
			})
		})
	}
}
