// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mbchain/genl"
)

// agentd makes a gateway of a host, and of a gateway that it is not to be, none.
func TestAgentMakesAGateway(t *testing.T) {
	r := newRig(t, 1)
	gateway, plain := r.middleboxes()[0], r.server()
	plain.configure(t, genl.Config{Gateway: new(true)})
	dir := t.TempDir()
	for _, h := range []*host{gateway, plain} {
		args := []string{
			"--name", h.name, "--address", h.addr.String(), "--policyd", "127.0.0.1:1",
			"--socket", filepath.Join(dir, h.name), "--state", filepath.Join(dir, h.name+".state"),
		}
		if h == gateway {
			args = append(args, "--gateway")
		}
		h.start(t, top(t, "bin", "agentd"), args...)
		eventually(t, soon, func() error {
			if got := h.info(t).Config.Gateway; *got != (h == gateway) {
				return fmt.Errorf("%s is a gateway: %v", h.name, *got)
			}
			return nil
		})
	}
}

// agentd puts the NF in place that it was told, waits for a device that is
// missing, and takes it again when it was away.
func TestAgentSetsNF(t *testing.T) {
	mb := newRig(t, 1).middleboxes()[0]
	dir := t.TempDir()
	socket := filepath.Join(dir, "sock")
	mb.start(t, top(t, "bin", "agentd"), "--name", "mb1", "--address", mb.addr.String(), "--policyd", "127.0.0.1:1",
		"--socket", socket, "--state", filepath.Join(dir, "state"), "--nf", "redirect:nf-in,nf-out")
	await := func(nf genl.NF, shown, fault string) {
		t.Helper()
		eventually(t, soon, func() error {
			if got := mb.info(t).NF; got.Mode != nf.Mode || strings.Join(got.Devices, " ") != strings.Join(nf.Devices, " ") {
				return fmt.Errorf("the NF of %s is %v, want %v", mb.name, got, nf)
			}
			got, err := nfStatus(t, socket)
			if err != nil {
				return err
			}
			if got.NF != shown || got.Error != fault {
				return fmt.Errorf("mbctl says NF %q, error %q, want %q, %q", got.NF, got.Error, shown, fault)
			}
			return nil
		})
	}
	redirect := genl.NF{Mode: genl.NFRedirect, Devices: []string{"nf-in", "nf-out"}}

	await(genl.NF{}, "inline", "set NF: no such device: nf-in, nf-out")
	mb.ip(t, "link add nf-in type dummy")
	await(genl.NF{}, "inline", "set NF: no such device: nf-out")
	mb.ip(t, "link add nf-out type dummy")
	await(redirect, "redirect:nf-in,nf-out", "")
	mb.ip(t, "link delete nf-out")
	await(genl.NF{Mode: genl.NFRedirect, Devices: []string{"nf-in"}}, "redirect:nf-in,", "set NF: no such device: nf-out")
	mb.ip(t, "link add nf-out type dummy")
	await(redirect, "redirect:nf-in,nf-out", "")
	// What another program sets does not last.
	if err := mb.module.SetNF(t.Context(), genl.NF{Mode: genl.NFNone}); err != nil {
		t.Fatal(err)
	}
	await(redirect, "redirect:nf-in,nf-out", "")
}

// nfStatus is what mbctl hears of the NF from an agent.
func nfStatus(t *testing.T, socket string) (status struct {
	NF    string `json:"nf"`
	Error string `json:"nf_error"`
}, err error) {
	t.Helper()
	// Its exit status tells that the agent is without policyd.
	out, err := exec.CommandContext(t.Context(), top(t, "bin", "mbctl"), "--json", "--agent", socket, "status").Output()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return status, err
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return status, fmt.Errorf("read mbctl status: %w: %s", err, out)
	}
	return status, nil
}
