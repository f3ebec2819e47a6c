// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"connectrpc.com/connect"

	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// clusterFake is the policyds of a cluster, behind one address.
type clusterFake struct {
	protoconnect.UnimplementedClusterServiceHandler
	*fake
}

func (f clusterFake) GetCluster(context.Context, *proto.GetClusterRequest) (*proto.GetClusterResponse, error) {
	return f.cluster, f.err
}

// GetNode answers for one policyd after the other.
func (f clusterFake) GetNode(context.Context, *proto.GetNodeRequest) (*proto.NodeStatus, error) {
	if f.err != nil {
		return nil, f.err
	}
	status := f.nodes[0]
	f.nodes = f.nodes[1:]
	return status, nil
}

func (f clusterFake) RemoveNode(context.Context, *proto.RemoveNodeRequest) (*proto.RemoveNodeResponse, error) {
	return &proto.RemoveNodeResponse{Voters: 2}, f.err
}

func (f clusterFake) TransferLeader(_ context.Context, r *proto.TransferLeaderRequest) (*proto.TransferLeaderResponse, error) {
	return &proto.TransferLeaderResponse{Leader: r.Name}, f.err
}

func (f clusterFake) TakeSnapshot(context.Context, *proto.TakeSnapshotRequest) (*proto.TakeSnapshotResponse, error) {
	return &proto.TakeSnapshotResponse{Data: []byte(snapshotText), Index: 812, PolicyVersion: 8, Hosts: 4}, f.err
}

func (f clusterFake) RestoreSnapshot(_ context.Context, r *proto.RestoreSnapshotRequest) (*proto.RestoreSnapshotResponse, error) {
	if f.err == nil && string(r.Data) != snapshotText {
		return nil, connect.NewError(connect.CodeInvalidArgument, errSnapshot)
	}
	return &proto.RestoreSnapshotResponse{PolicyVersion: 9, Hosts: 4}, f.err
}
