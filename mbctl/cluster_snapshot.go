// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"mbchain/proto"
)

// maxSnapshot is the largest snapshot that policyd restores.
const maxSnapshot = 64 << 20

func (w *world) clusterSnapshotCommand() *cli.Command {
	return &cli.Command{
		Name:      "snapshot",
		Usage:     "save the policy, the hosts, the CA and the set-up keys into a file",
		ArgsUsage: "FILE",
		Description: describe(`What it takes to restore the domain into this or a new cluster. The file is for
its owner alone: it holds the CA's key and the set-up keys. One that is there is replaced.`,
			"mbctl cluster snapshot domain.snapshot"),
		Action: w.action(w.clusterSnapshot),
	}
}

// snapshotView is what cluster snapshot prints in JSON.
type snapshotView struct {
	File          string `json:"file"`
	Bytes         int    `json:"bytes"`
	Index         uint64 `json:"index"`
	PolicyVersion uint64 `json:"policy_version"`
	Hosts         uint32 `json:"hosts"`
}

func (w *world) clusterSnapshot(c *cli.Context) error {
	p, args, err := w.policydAndOperands(c, 1, 1)
	if err != nil {
		return err
	}
	got, err := p.cluster.TakeSnapshot(c.Context, &proto.TakeSnapshotRequest{})
	if err != nil {
		return p.failed(err)
	}
	if err := w.saveSecret(args[0], got.Data); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if c.Bool("json") {
		return w.printJSON(snapshotView{args[0], len(got.Data), got.Index, got.PolicyVersion, got.Hosts})
	}
	w.printf("%s: policy version %d, %s, %s\n", args[0], got.PolicyVersion, plural(got.Hosts, "host"), bytesText(uint64(len(got.Data))))
	return nil
}

func (w *world) clusterRestoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "put a snapshot in place of the policy, the hosts and the set-up keys",
		ArgsUsage: "FILE --yes",
		Description: describe(`All policyds follow, and hosts get the policy at once; live sessions flow on. The
policy gets a new version if this cluster ever had another one. Take a snapshot of
what is there before.`,
			"mbctl cluster restore domain.snapshot --yes"),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "yes", DisableDefaultText: true, Usage: "replace what is there"},
		},
		Action: w.action(w.clusterRestore),
	}
}

// restoredView is what cluster restore prints in JSON.
type restoredView struct {
	PolicyVersion uint64 `json:"policy_version"`
	Hosts         uint32 `json:"hosts"`
}

func (w *world) clusterRestore(c *cli.Context) error {
	args, err := operands(c, 1, 1)
	if err != nil {
		return err
	}
	if !c.Bool("yes") {
		return usagef("restore %s: this replaces the policy, the hosts and the set-up keys of the domain: add --yes", args[0])
	}
	p, err := w.policyd(c)
	if err != nil {
		return err
	}
	data, err := w.readSnapshot(args[0])
	if err != nil {
		return err
	}
	done, err := p.cluster.RestoreSnapshot(c.Context, &proto.RestoreSnapshotRequest{Data: data})
	if err != nil {
		return p.failed(err)
	}
	if c.Bool("json") {
		return w.printJSON(restoredView{done.PolicyVersion, done.Hosts})
	}
	w.printf("%s restored: policy version %d, %s\n", args[0], done.PolicyVersion, plural(done.Hosts, "host"))
	return nil
}

func (w *world) readSnapshot(name string) ([]byte, error) {
	f, err := w.open(name)
	if err != nil {
		return nil, &failure{code: exitUsage, err: fmt.Errorf("read snapshot: %w", err)}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSnapshot+1))
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(data) > maxSnapshot {
		return nil, usagef("read snapshot %s: more than %s, which is none of policyd's", name, bytesText(maxSnapshot))
	}
	return data, nil
}
