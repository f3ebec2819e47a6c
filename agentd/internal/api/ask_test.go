// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// asking is a host with two sessions, of which one is over.
type asking struct {
	host
	asked *proto.AskRequest
	err   error
}

func sessionID(n byte) []byte { return append(make([]byte, 15), n) }

func superOf(port uint32) *proto.Tuple {
	return &proto.Tuple{Source: "fd00::1", SourcePort: port, Destination: "fd00::9", DestinationPort: 80, Protocol: 6}
}

func (a *asking) Sessions(_ context.Context, prefix []byte, _ int) ([]*proto.Session, bool, error) {
	all := []*proto.Session{
		{Id: sessionID(1), State: "closed", Super: superOf(7)}, {Id: sessionID(2), State: "established", Super: superOf(7)},
	}
	if len(prefix) > 0 {
		all = slices.DeleteFunc(all, func(s *proto.Session) bool { return !slices.Equal(s.Id, prefix) })
	}
	return all, false, nil
}

func (a *asking) Ask(_ context.Context, r *proto.AskRequest) (*proto.AskResponse, error) {
	a.asked = r
	return &proto.AskResponse{Job: 7, Id: 0x10, Session: r.Session}, a.err
}

// refuser is a policyd that refuses.
type refuser struct {
	protoconnect.UnimplementedAgentServiceHandler
	err error
}

func (r refuser) Ask(context.Context, *proto.AskRequest) (*proto.AskResponse, error) {
	return nil, r.err
}

// refusal is an error as it comes from policyd.
func refusal(t *testing.T, text string) error {
	mux := http.NewServeMux()
	mux.Handle(protoconnect.NewAgentServiceHandler(refuser{err: connect.NewError(connect.CodePermissionDenied, errors.New(text))}))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	_, err := protoconnect.NewAgentServiceClient(s.Client(), s.URL).Ask(t.Context(), &proto.AskRequest{})
	return err
}

func TestAskPassesOnTheSessionThatIsMeant(t *testing.T) {
	leave := &proto.AskRequest_Leave{Leave: &proto.AskLeave{}}
	written := superOf(7)
	written.Source = "fd00:0::0001" // as a person may write it
	tests := []struct {
		name string
		r    *proto.AskRequest
		code connect.Code
		text string
	}{
		{"by its id", &proto.AskRequest{Session: sessionID(2), Want: leave}, 0, ""},
		{"by its tuple", &proto.AskRequest{Super: written, Want: leave}, 0, ""},
		{"by a tuple that no session has", &proto.AskRequest{Super: superOf(8), Want: leave}, connect.CodeNotFound,
			"mb1 carries no such session that lives"},
		{"that is over", &proto.AskRequest{Session: sessionID(1), Want: leave}, connect.CodeNotFound, "no such session"},
		{"by both", &proto.AskRequest{Session: sessionID(2), Super: written, Want: leave}, connect.CodeInvalidArgument, "exactly one"},
		{"by none", &proto.AskRequest{Want: leave}, connect.CodeInvalidArgument, "exactly one"},
		{"by half an id", &proto.AskRequest{Session: sessionID(2)[:8], Want: leave}, connect.CodeInvalidArgument, "of 8 bytes"},
		{"without a wish", &proto.AskRequest{Session: sessionID(2)}, connect.CodeInvalidArgument, "want is not given"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &asking{}
			got, err := serve(t, h).Ask(t.Context(), tt.r)
			if tt.code != 0 {
				if connect.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.text) || h.asked != nil {
					t.Errorf("error %v, want %v: %s; policyd was asked %v", err, tt.code, tt.text, h.asked)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := &proto.AskRequest{Session: sessionID(2), Want: leave}
			if diff := cmp.Diff(want, h.asked, protocmp.Transform()); diff != "" || got.Job != 7 {
				t.Errorf("job %x, policyd was asked (-want +got):\n%s", got.Job, diff)
			}
		})
	}
}

func TestAskTellsARefusalFromAnAbsence(t *testing.T) {
	tests := []struct {
		name string
		err  error
		code connect.Code
		text string
	}{
		{"policyd refuses", refusal(t, "write may-leave"), connect.CodePermissionDenied, "permission_denied: write may-leave"},
		{"policyd is away", errors.New("policyd is away"), connect.CodeUnavailable, "it cannot be reached: policyd is away"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := serve(t, &asking{err: tt.err}).Ask(t.Context(),
				&proto.AskRequest{Session: sessionID(2), Want: &proto.AskRequest_Leave{Leave: &proto.AskLeave{}}})
			if connect.CodeOf(err) != tt.code || !strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("error %v, want %v: %s", err, tt.code, tt.text)
			}
		})
	}
}
