// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"net/netip"

	"mbchain/identity"
	"mbchain/proto"
)

// withHeader adds the header to each call of a visitor.
func withHeader(text string) context.Context {
	ctx, info := connect.NewClientContext(context.Background())
	info.RequestHeader().Set(headerCaller, text)
	return ctx
}

func TestPolicyServersSpeakForOthers(t *testing.T) {
	atDoor(t, func(t *testing.T, d *door) {
		anna := &caller{Subject: identity.Subject{Role: identity.Operator, Name: "anna", Epoch: 1}, from: "10.0.0.9:4711", expires: time.Now().Add(time.Minute)}
		viewer := &caller{Subject: identity.Subject{Role: identity.Viewer, Name: "berta", Epoch: 1}, from: "10.0.0.9:4711"}
		over := *anna
		over.expires = time.Now().Add(-time.Minute)
		node := certify(t, d.ca, identity.Policyd, "policyd2")
		tests := []struct {
			name string
			via  *identity.Bundle
			text string
			code connect.Code // 0: done
		}{
			{"for an operator", node, anna.header(), 0},
			{"for root", node, (&caller{Subject: identity.Subject{Role: identity.Operator, Name: "root"}, local: true}).header(), 0},
			{"for a viewer", node, viewer.header(), connect.CodePermissionDenied},
			{"for nobody", node, (&caller{from: "x"}).header(), connect.CodeUnauthenticated},
			{"for who has expired", node, over.header(), connect.CodeUnauthenticated},
			{"for itself", node, "", connect.CodePermissionDenied},
			{"nonsense", node, "{", connect.CodeUnauthenticated},
			{"a viewer, for an operator", certify(t, d.ca, identity.Viewer, "berta"), anna.header(), connect.CodePermissionDenied},
			{"a host, for an operator", certify(t, d.ca, identity.Agent, "mb1", "10.0.0.2"), anna.header(), connect.CodePermissionDenied},
			{"no certificate, for an operator", nil, anna.header(), connect.CodeUnauthenticated},
		}
		for _, tt := range tests {
			_, err := d.visit(tt.via).policy.Apply(withHeader(tt.text), &proto.ApplyRequest{Source: onePolicy})
			if code := connect.CodeOf(err); (tt.code == 0) != (err == nil) || err != nil && code != tt.code {
				t.Errorf("%s: error %v, want code %v", tt.name, err, tt.code)
			}
		}
		synctest.Wait()
	})
}

func TestCallerSurvivesTheHeader(t *testing.T) {
	c := &caller{
		Subject:   identity.Subject{Role: identity.Agent, Name: "mb1", Epoch: 3},
		addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")},
		from:      "10.0.0.2:999", expires: time.UnixMilli(1e12),
	}
	got, err := parseCaller(c.header())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got, cmp.AllowUnexported(caller{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("caller (-want +got):\n%s", diff)
	}
	if _, err := behalf(c, http.Header{headerCaller: {"{}"}}); err != nil {
		t.Errorf("a host's header is read: %v", err)
	}
}

func FuzzParseCaller(f *testing.F) {
	f.Add((&caller{Subject: identity.Subject{Role: identity.Operator, Name: "anna"}, from: "10.0.0.9:1", expires: time.UnixMilli(1)}).header())
	f.Add(`{"role":"agent","name":"mb1","addresses":["10.0.0.2"],"from":""}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCaller(text)
		if err != nil {
			return
		}
		again, err := parseCaller(c.header())
		if err != nil || again.Subject != c.Subject || again.local != c.local {
			t.Errorf("%q: %+v, then %+v, error %v", text, c, again, err)
		}
	})
}
