// SPDX-License-Identifier: Apache-2.0

package genl_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"mbchain/genl"
	"mbchain/genl/genlfake"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestModuleNotLoaded(t *testing.T) {
	kernel := genlfake.New()
	kernel.Unload()
	_, err := genl.NewClient(kernel.Dial)
	if !errors.Is(err, genl.ErrNotSupported) || !strings.Contains(err.Error(), "modprobe mbchain") {
		t.Errorf("NewClient: %v, want %v that says modprobe mbchain", err, genl.ErrNotSupported)
	}
	if n := kernel.Connections(); n != 0 {
		t.Errorf("%d connections left open", n)
	}
}

// The family has another number after the module was loaded anew.
func TestClientFollowsModule(t *testing.T) {
	kernel, client := fake(t)
	first, err := client.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kernel.Unload()
	if _, err := client.Info(t.Context()); !errors.Is(err, genl.ErrNotSupported) {
		t.Errorf("Info without module: %v, want %v", err, genl.ErrNotSupported)
	}
	kernel.Load()
	if info, err := client.Info(t.Context()); err != nil || info.Family == first.Family {
		t.Errorf("Info with module: %+v, %v, want another number than %d", info, err, first.Family)
	}
	kernel.Unload()
	kernel.Load()
	if _, err := client.Sessions(t.Context()); err != nil {
		t.Errorf("Sessions with module loaded anew: %v", err)
	}
}

func TestRefusal(t *testing.T) {
	tests := []struct {
		errno syscall.Errno
		want  error
	}{
		{syscall.EPERM, genl.ErrPermission},
		{syscall.EACCES, genl.ErrPermission},
		{syscall.ENOENT, genl.ErrNotFound},
		{syscall.EBUSY, genl.ErrBusy},
		{syscall.ERANGE, genl.ErrRange},
		{syscall.EINVAL, genl.ErrInvalid},
		{syscall.EEXIST, genl.ErrExists},
		{syscall.E2BIG, genl.ErrTooBig},
		{syscall.ENOSPC, genl.ErrTooBig},
		{syscall.EMSGSIZE, genl.ErrTooBig},
		{syscall.ENOMEM, genl.ErrNoMemory},
		{syscall.ENOBUFS, genl.ErrNoMemory},
		{syscall.ELOOP, genl.ErrLoop},
		{syscall.EHOSTUNREACH, genl.ErrNoRoute},
		{syscall.EADDRNOTAVAIL, genl.ErrNoPort},
		{syscall.EALREADY, genl.ErrAlready},
		{syscall.EOPNOTSUPP, genl.ErrNotSupported},
		{syscall.EPROTONOSUPPORT, genl.ErrNotSupported},
		{syscall.EAFNOSUPPORT, genl.ErrNotSupported},
		{syscall.EIO, syscall.EIO},
	}
	for _, tt := range tests {
		t.Run(tt.errno.Error(), func(t *testing.T) {
			kernel, client := fake(t)
			for _, message := range []string{"", "because of the weather"} {
				kernel.Refuse(genlfake.SetKeys, tt.errno, message)
				err := client.SetKeys(t.Context(), nil)
				if !errors.Is(err, tt.want) || !errors.Is(err, tt.errno) {
					t.Errorf("SetKeys: %v, want %v and %v", err, tt.want, tt.errno)
				}
				var refused *genl.RefusedError
				if !errors.As(err, &refused) {
					t.Fatalf("SetKeys: %T, want %T", err, refused)
				}
				got := genl.RefusedError{Op: refused.Op, Errno: refused.Errno, Message: refused.Message}
				want := genl.RefusedError{Op: "set keys", Errno: tt.errno, Message: message}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(want)); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
				if !strings.HasPrefix(err.Error(), "set keys: ") || !strings.Contains(err.Error(), message) {
					t.Errorf("error says %q", err)
				}
			}
			if err := client.SetKeys(t.Context(), nil); err != nil {
				t.Errorf("SetKeys after the refusals: %v", err)
			}
		})
	}
}
