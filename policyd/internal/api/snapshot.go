// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"mbchain/policy"
	"mbchain/policyd/internal/store"
	"mbchain/proto"
)

const (
	// maxSnapshotData bounds a snapshot that is restored, which becomes one
	// entry of the log.
	maxSnapshotData    = 64 << 20
	maxSnapshotRequest = maxSnapshotData*4/3 + 4096 // in JSON
	// snapshotMagic begins a snapshot outside of policyd. The checksum of all
	// that follows comes after it, and a line's end.
	snapshotMagic = "mbchain-snapshot 1 "
)

// TakeSnapshot implements ClusterService.
func (s clusterService) TakeSnapshot(ctx context.Context, _ *proto.TakeSnapshotRequest) (*proto.TakeSnapshotResponse, error) {
	state, err := s.Cluster.Confirm()
	if err != nil {
		return nil, coded(err)
	}
	data, err := encodeSnapshot(state)
	if err != nil {
		return nil, coded(err)
	}
	s.Logger.Info("snapshot taken", "policy_version", state.Policy.Version, "hosts", len(state.Hosts), "peer", peer(ctx))
	return &proto.TakeSnapshotResponse{
		Data: data, Index: state.Index, PolicyVersion: state.Policy.Version, Hosts: uint32(len(state.Hosts)),
	}, nil
}

// RestoreSnapshot implements ClusterService.
func (s clusterService) RestoreSnapshot(ctx context.Context, r *proto.RestoreSnapshotRequest) (*proto.RestoreSnapshotResponse, error) {
	number, err := requestNumber(ctx)
	if err != nil {
		return nil, err
	}
	state, err := decodeSnapshot(r.Data)
	if err != nil {
		return nil, invalid("snapshot: %w", err)
	}
	result, err := s.Cluster.Apply(ctx, store.Command{
		Restore: &store.Restore{State: state, NowUnixMS: time.Now().UnixMilli()}, Request: number,
	})
	if err != nil {
		s.Logger.Warn("snapshot not restored", "peer", peer(ctx), "error", err)
		return nil, coded(err)
	}
	s.Update(result.State)
	note(ctx, "policy_version", result.PolicyVersion)
	s.Logger.Warn("snapshot restored", "policy_version", result.PolicyVersion, "hosts", len(state.Hosts), "peer", peer(ctx))
	return &proto.RestoreSnapshotResponse{PolicyVersion: result.PolicyVersion, Hosts: uint32(len(state.Hosts))}, nil
}

// encodeSnapshot writes what another cluster can go on from, the CA with its key
// among it. Nodes, tokens and requests are this one's. Of a history that makes it
// larger than what can be restored the older half goes, as often as it takes.
func encodeSnapshot(state *store.State) ([]byte, error) {
	bare := *state
	bare.Nodes, bare.Tokens, bare.Requests = nil, nil, nil
	for {
		var body bytes.Buffer
		if err := store.WriteSnapshot(&body, &bare); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body.Bytes())
		data := append([]byte(snapshotMagic+hex.EncodeToString(sum[:])+"\n"), body.Bytes()...)
		if len(data) <= maxSnapshotData || len(bare.History) == 0 {
			return data, nil
		}
		bare.History = bare.History[:len(bare.History)/2]
	}
}

// decodeSnapshot is the reverse. What it returns can be served: its policy
// means something to this policyd.
func decodeSnapshot(data []byte) (*store.State, error) {
	if len(data) > maxSnapshotData {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", len(data), maxSnapshotData)
	}
	head, body, found := bytes.Cut(data, []byte("\n"))
	text, magic := bytes.CutPrefix(head, []byte(snapshotMagic))
	if !found || !magic {
		return nil, errors.New("this is no snapshot that mbctl cluster snapshot wrote")
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != string(text) {
		return nil, errors.New("it is damaged or cut short: its checksum is wrong")
	}
	state, err := store.ReadSnapshot(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if !state.IsSetUp() {
		return nil, errors.New("it holds no set-up keys")
	}
	if state.Policy.Version != 0 {
		if _, err := policy.Parse(state.Policy.Source); err != nil {
			return nil, fmt.Errorf("its policy is wrong: %w", err)
		}
	}
	return state, nil
}
