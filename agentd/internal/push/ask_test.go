// SPDX-License-Identifier: Apache-2.0

package push

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"mbchain/proto"
)

func TestClientAsksInTheNameOfItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		r := &proto.AskRequest{Host: "somebody else", Session: []byte{1}, Want: &proto.AskRequest_Leave{Leave: &proto.AskLeave{}}}
		if _, err := b.client.Ask(t.Context(), r); !errors.Is(err, ErrAway) {
			t.Errorf("without a subscription: %v, want ErrAway", err)
		}
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		<-b.host.offers
		got, err := b.client.Ask(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		b.want("answer", &proto.AskResponse{Job: 7, Session: []byte{1}}, got)
		b.want("request", &proto.AskRequest{Host: "mb1", Session: []byte{1}, Want: r.Want}, <-b.policyd.asks)

		b.policyd.askErr = connect.NewError(connect.CodePermissionDenied, errors.New("no"))
		if _, err := b.client.Ask(t.Context(), r); connect.CodeOf(err) != connect.CodePermissionDenied || !connect.IsWireError(err) {
			t.Errorf("error %v, want policyd's", err)
		}
	})
}

func TestClientReportsInTheNameOfItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t)
		r := &proto.LoadReport{CpuPermille: 17}
		if _, err := b.client.Report(t.Context(), r); !errors.Is(err, ErrAway) {
			t.Errorf("without a subscription: %v, want ErrAway", err)
		}
		<-b.policyd.subscribed
		b.policyd.pushes <- offerOf(1, 7)
		<-b.host.offers
		next, err := b.client.Report(t.Context(), r)
		if err != nil || next != 750*time.Millisecond {
			t.Errorf("next in %v, error %v", next, err)
		}
		b.want("report", &proto.ReportRequest{Host: "mb1", Load: r}, <-b.policyd.reports)
		b.policyd.reportErr = connect.NewError(connect.CodeUnimplemented, errors.New("what is that?"))
		if next, err := b.client.Report(t.Context(), r); err != nil || next != noReports {
			t.Errorf("an older policyd: next in %v, error %v", next, err)
		}
	})
}
