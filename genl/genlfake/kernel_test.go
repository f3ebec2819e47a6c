// SPDX-License-Identifier: Apache-2.0

package genlfake_test

import (
	"errors"
	"syscall"
	"testing"

	"mbchain/chain"
	"mbchain/genl"
	"mbchain/genl/genlfake"
	"mbchain/genl/internal/uapi"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// How well a Kernel behaves is tested in package genl: TestConformance.

func TestRefuseAddsUp(t *testing.T) {
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		t.Fatal(err)
	}
	kernel.Refuse(genlfake.GetStats, syscall.ENOMEM, "")
	kernel.Refuse(genlfake.GetStats, syscall.EPERM, "")
	kernel.Refuse(genlfake.GetInfo, syscall.EBUSY, "")
	for _, want := range []error{genl.ErrNoMemory, genl.ErrPermission, nil} {
		if _, err := client.Stats(t.Context()); !errors.Is(err, want) {
			t.Errorf("Stats: %v, want %v", err, want)
		}
	}
	if _, err := client.Info(t.Context()); !errors.Is(err, genl.ErrBusy) {
		t.Errorf("Info: %v, want %v", err, genl.ErrBusy)
	}
}

func TestUpdateSession(t *testing.T) {
	kernel := genlfake.New()
	client, err := genl.NewClient(kernel.Dial)
	if err != nil {
		t.Fatal(err)
	}
	tuple, err := chain.ParseFiveTuple("10.0.0.1:40000 > 10.0.0.4:80 tcp")
	if err != nil {
		t.Fatal(err)
	}
	s := genl.Session{ID: chain.SessionID{1}, Role: chain.RoleServer, State: chain.StateSYN, Super: tuple}
	kernel.AddSession(s)
	s.State = chain.StateEstablished
	kernel.UpdateSession(s)
	got, err := client.Session(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != s.State {
		t.Errorf("state %v, want %v", got.State, s.State)
	}
	if kernel.EndSession(chain.SessionID{9}, genl.ReasonEndFIN) {
		t.Error("EndSession of an unknown session is true")
	}
	if !kernel.EndSession(s.ID, genl.ReasonEndFIN) {
		t.Error("EndSession is false")
	}
}

// FuzzRequest feeds the fake with requests that no client would make.
func FuzzRequest(f *testing.F) {
	for cmd := range uint8(uapi.CmdEventSetup + 1) {
		f.Add(cmd, false, []byte{20, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
		f.Add(cmd, true, []byte{})
	}
	f.Add(uint8(uapi.CmdPolicyAdd), false, []byte{20, 0, 13, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 12, 0, 12, 0, 6, 0, 0, 0, 1, 0, 0, 0})
	f.Add(uint8(uapi.CmdPolicyAdd), false, []byte{12, 0, 6, 0, 6, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, cmd uint8, dump bool, attrs []byte) {
		kernel := genlfake.New()
		conn, err := kernel.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		family, err := conn.GetFamily(uapi.GenlName)
		if err != nil {
			t.Fatal(err)
		}
		flags := netlink.Request | netlink.Acknowledge
		if dump {
			flags = netlink.Request | netlink.Dump
		}
		begin := []byte{12, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		for _, m := range []genetlink.Message{
			{Header: genetlink.Header{Command: uapi.CmdPolicyBegin}, Data: begin},
			{Header: genetlink.Header{Command: cmd}, Data: attrs},
		} {
			_, err := conn.Execute(m, family.ID, flags)
			var errno syscall.Errno
			if err != nil && !errors.As(err, &errno) {
				t.Errorf("command %d: %v", m.Header.Command, err)
			}
		}
	})
}
