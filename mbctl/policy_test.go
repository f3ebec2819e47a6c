// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"mbchain/proto"
)

func TestApplySendsTheTextAndTheVersionItIsFor(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want *uint64
	}{
		{"without", nil, nil},
		{"with", []string{"--if-version", "7"}, new(uint64(7))},
		{"none before", []string{"--if-version=0"}, new(uint64(0))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := lab()
			var asked *proto.ApplyRequest
			f.apply = func(req *proto.ApplyRequest) (*proto.ApplyResponse, error) {
				asked = req
				return &proto.ApplyResponse{Version: 8}, nil
			}
			w := newTestWorld(t, f)
			w.stdin = strings.NewReader(webPolicy)
			if code := w.run(t.Context(), append([]string{"policy", "apply", "-"}, tt.args...)); code != exitOK {
				t.Fatalf("exit %d: %s", code, w.err.String())
			}
			if asked.Source != webPolicy {
				t.Errorf("sent %q, want the policy as it is", asked.Source)
			}
			if (asked.IfVersion == nil) != (tt.want == nil) || asked.GetIfVersion() != (&proto.ApplyRequest{IfVersion: tt.want}).GetIfVersion() {
				t.Errorf("sent if_version %v, want %v", asked.IfVersion, tt.want)
			}
		})
	}
}

func TestPolicyThatIsTooLongIsNotSent(t *testing.T) {
	w := newTestWorld(t, lab())
	w.stdin = strings.NewReader(strings.Repeat("#", maxPolicy+1))
	if code := w.run(t.Context(), []string{"policy", "apply", "-"}); code != exitFailure {
		t.Errorf("exit %d, want %d", code, exitFailure)
	}
	if got, want := w.err.String(), "mbctl: read policy stdin: longer than 4.0 MiB\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

func TestInterruptedWaitSaysThatThePolicyStays(t *testing.T) {
	f := lab()
	f.policies = []*proto.GetResponse{policyNow(onHost("mb1", 7, 8, ""))}
	w := newTestWorld(t, f)
	w.files["web.policy"] = webPolicy
	ctx, interrupt := context.WithCancel(t.Context())
	w.sleep = func(context.Context, time.Duration) error {
		interrupt()
		return context.Canceled
	}
	if code := w.run(ctx, []string{"policy", "apply", "--wait", "web.policy"}); code != exitFailure {
		t.Errorf("exit %d, want %d", code, exitFailure)
	}
	if got := w.err.String(); !strings.Contains(got, "the policy stays applied") {
		t.Errorf("stderr %q does not say that the policy stays applied", got)
	}
}

func TestStateOfAHost(t *testing.T) {
	tests := []struct {
		name string
		host *proto.HostPolicy
		want hostState
	}{
		{"runs it", onHost("h", 8, 8, ""), hostRunning},
		{"runs a later one", onHost("h", 9, 9, ""), hostRunning},
		{"runs it and refused a later one", onHost("h", 8, 9, "no"), hostRunning},
		{"refused it", onHost("h", 7, 8, "no"), hostRefused},
		{"refused a later one without having had it", onHost("h", 7, 9, "no"), hostRefused},
		{"refused it when it was offered again", onHost("h", 8, 8, "no"), hostRefused},
		{"refused the one before", onHost("h", 6, 7, "no"), hostPending},
		{"was offered it", onHost("h", 7, 8, ""), hostPending},
		{"is away", away(onHost("h", 7, 8, "")), hostAway},
		{"refused it and went away", away(onHost("h", 7, 8, "no")), hostRefused},
		{"runs it and went away", away(onHost("h", 8, 8, "")), hostRunning},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stateOf(tt.host, 8); got != tt.want {
				t.Errorf("state %s, want %s", got, tt.want)
			}
		})
	}
}
