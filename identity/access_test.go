// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "mbchain/proto"
)

// procedures are all of proto.
func procedures() []string {
	var all []string
	protoregistry.GlobalFiles.RangeFilesByPackage("mbchain.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				all = append(all, "/"+string(service.FullName())+"/"+string(service.Methods().Get(j).Name()))
			}
		}
		return true
	})
	return all
}

func TestEveryProcedureSaysWhoMayCallIt(t *testing.T) {
	all := procedures()
	if len(all) < 20 {
		t.Fatalf("only %d procedures in proto", len(all))
	}
	for _, p := range all {
		a, known := AccessTo(p)
		if !known {
			t.Errorf("no line for %s in access.go", p)
		}
		kinds := 0
		for _, is := range []bool{len(a.Roles) > 0, a.Anyone, a.Local} {
			if is {
				kinds++
			}
		}
		if known && kinds != 1 {
			t.Errorf("%s: want roles, Anyone or Local: %+v", p, a)
		}
	}
	for p := range access {
		if !slices.Contains(all, p) {
			t.Errorf("access.go has %s, proto has not", p)
		}
	}
}

// A viewer changes nothing, and an agent is no operator.
func TestRolesAreApart(t *testing.T) {
	for p, a := range access {
		for _, role := range []Role{Viewer, Agent} {
			err := a.Check(Subject{Role: role, Name: "x"}, p)
			asksForItself := role == Agent && p == "/mbchain.v1.AgentService/Ask"
			if a.Change && !a.Anyone && !asksForItself && !errors.Is(err, ErrRole) {
				t.Errorf("%s may call %s, error %v", role, p, err)
			}
		}
		if err := a.Check(Subject{}, p); !a.Anyone && err == nil {
			t.Errorf("nobody may call %s", p)
		}
	}
}
