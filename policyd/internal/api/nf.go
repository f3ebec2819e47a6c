// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"connectrpc.com/connect"

	"mbchain/policy"
	"mbchain/policyd/internal/push"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

type nfService struct{ *Server }

// List implements NFService.
func (s nfService) List(context.Context, *proto.ListNFsRequest) (*proto.ListNFsResponse, error) {
	if _, err := s.Cluster.State(); err != nil {
		return nil, coded(err)
	}
	d, instances, err := s.Hub.Instances()
	if err != nil {
		return nil, coded(err)
	}
	answer := &proto.ListNFsResponse{PolicyVersion: d.State.Policy.Version}
	for _, in := range instances {
		answer.Instances = append(answer.Instances, viewInstance(d, in))
	}
	for _, drain := range d.State.Drains {
		to := &proto.Drain{Host: drain.Host, Type: drain.Type, By: drain.By, SinceUnixMs: drain.SinceUnixMS}
		s.leaving.fill(to)
		answer.Drains = append(answer.Drains, to)
	}
	return answer, nil
}

// viewInstance shows an instance as new sessions choose it in d.
func viewInstance(d *push.Domain, in push.Instance) *proto.NFInstance {
	to := &proto.NFInstance{
		Type: in.Type.Name, Name: in.Instance.Name, Host: in.Host,
		Address: addressText(in.Instance.Address), Address6: addressText(in.Instance.Address6),
		Weight: in.Instance.Weight, State: in.State(), Why: in.Verdict.Why, Load: in.Load,
	}
	if !in.Verdict.Since.IsZero() {
		to.SinceUnixMs = in.Verdict.Since.UnixMilli()
	}
	if in.Drain.Host != "" {
		to.Why, to.SinceUnixMs = "by "+in.Drain.By, in.Drain.SinceUnixMS
	}
	if in.Host == "" {
		to.Why = "no host that is known has its address"
	}
	for _, t := range d.Chosen.Types {
		if t.Name != in.Type.Name {
			continue
		}
		for _, chosen := range t.Instances {
			if sameInstance(chosen, in.Instance) {
				to.Chosen, to.Share = true, chosen.Weight
			}
		}
	}
	return to
}

// sameInstance reports whether one is the other, perhaps without one of its addresses.
func sameInstance(chosen, written policy.Instance) bool {
	return chosen.Address.IsValid() && chosen.Address == written.Address ||
		chosen.Address6.IsValid() && chosen.Address6 == written.Address6
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Drain implements NFService.
func (s nfService) Drain(ctx context.Context, r *proto.DrainRequest) (*proto.DrainResponse, error) {
	state, err := s.Cluster.State()
	if err != nil {
		return nil, coded(err)
	}
	if err := checkDrain(r); err != nil {
		return nil, err
	}
	if _, known := state.Host(r.Host); !known {
		return nil, coded(fmt.Errorf("%w: %s", push.ErrUnknownHost, r.Host))
	}
	if d, err := s.Hub.Domain(); err == nil && r.Type != "" && !d.Offers(r.Host, r.Type) {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("%s is no instance of NF type %q in the running policy", r.Host, r.Type))
	}
	return s.setDrain(ctx, r, false)
}

// Undrain implements NFService.
func (s nfService) Undrain(ctx context.Context, r *proto.DrainRequest) (*proto.DrainResponse, error) {
	if err := checkDrain(r); err != nil {
		return nil, err
	}
	return s.setDrain(ctx, r, true)
}

func checkDrain(r *proto.DrainRequest) error {
	if err := checkHostName(r.Host); err != nil {
		return err
	}
	if len(r.Type) > policy.MaxTypeName || r.Type != "" && !printable(r.Type) {
		return invalid("type: %q is not a name of at most %d characters", r.Type, policy.MaxTypeName)
	}
	return nil
}

func (s nfService) setDrain(ctx context.Context, r *proto.DrainRequest, end bool) (*proto.DrainResponse, error) {
	note(ctx, "host", r.Host)
	note(ctx, "nf_type", r.Type)
	number, err := requestNumber(ctx)
	if err != nil {
		return nil, err
	}
	result, err := s.Cluster.Apply(ctx, store.Command{Request: number, SetDrain: &store.SetDrain{End: end, Drain: store.Drain{
		Host: r.Host, Type: r.Type, By: callerIn(ctx).String(), SinceUnixMS: time.Now().UnixMilli(),
	}}})
	if err != nil {
		return nil, coded(err)
	}
	s.Update(result.State)
	if result.Changed {
		s.Logger.Info("drain changed", "host", r.Host, "nf_type", r.Type, "drained", !end, "peer", peer(ctx))
		s.leaving.again()
	}
	return &proto.DrainResponse{Unchanged: !result.Changed}, nil
}
