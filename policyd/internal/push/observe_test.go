// SPDX-License-Identifier: Apache-2.0

package push

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// observer takes down what it is told.
type observer struct {
	mu   sync.Mutex
	told []string
}

func (o *observer) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, fmt.Sprintf(format, args...))
}

func (o *observer) Pushed(change bool) {
	o.note("pushed%s", map[bool]string{true: " a change"}[change])
}
func (o *observer) Acknowledged(what Outcome) { o.note("%s", what) }
func (o *observer) Spread(took time.Duration) { o.note("spread after %v", took) }
func (o *observer) Asked(ok, absent, bad int) { o.note("asked %d %d %d", ok, absent, bad) }
func (o *observer) take() (told []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	told, o.told = o.told, nil
	return told
}

func observed(t *testing.T) (*domain, *observer) {
	d, o := newTestDomain(t), new(observer)
	d.hub.Observe(o)
	return d, o
}

func (o *observer) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, o.take()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestSpreadOfAPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o := observed(t)
		a, b := d.connect(registration("a", "10.0.0.1")), d.connect(registration("b", "10.0.0.2"))
		time.Sleep(time.Second) // hosts have settled
		a.take()
		b.take()
		o.take()

		d.policy("match(any) >> {}")
		nonceA, _ := a.subpolicy()
		nonceB, _ := b.subpolicy()
		o.want(t, "pushed", "pushed")
		time.Sleep(20 * time.Millisecond)
		a.acknowledge(nonceA, 1, "")
		o.want(t, "loaded")
		time.Sleep(20 * time.Millisecond)
		b.acknowledge(nonceB, 0, "no")
		o.want(t, "refused")
		b.acknowledge(nonceB, 1, "")
		o.want(t, "spread after 40ms", "loaded")
		b.acknowledge(nonceB, 1, "") // said again
		b.acknowledge(nonceB-1, 1, "")
		o.want(t, "loaded", "late")
	})
}

// Who is gone is not waited for, and a policy that another replaced is none any more.
func TestSpreadIsOfTheNewestPolicyToThoseWhoAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o := observed(t)
		a, b := d.connect(registration("a", "10.0.0.1")), d.connect(registration("b", "10.0.0.2"))
		time.Sleep(time.Second)
		a.take()
		b.take()
		d.policy("match(dstport=1) >> {}")
		old, _ := a.subpolicy()
		time.Sleep(time.Second)
		d.policy("match(dstport=2) >> {}")
		nonce, _ := a.subpolicy()
		synctest.Wait()
		o.take()
		a.acknowledge(old, 1, "")
		time.Sleep(time.Millisecond)
		a.acknowledge(nonce, 2, "")
		o.want(t, "late", "loaded")
		time.Sleep(time.Millisecond)
		b.leave()
		o.want(t, "spread after 2ms")
	})
}

func TestQuestionsAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o := observed(t)
		a, away := d.connect(registration("a", "10.0.0.1")), d.connect(registration("b", "10.0.0.2"))
		d.connect(registration("c", "10.0.0.3"))
		away.leave()
		time.Sleep(time.Second)
		a.take()
		o.take()
		done := d.ask(t.Context(), "")
		nonce := a.question()
		a.answer(nonce)
		<-done // c has had its time
		o.want(t, "asked 1 1 1")
	})
}
