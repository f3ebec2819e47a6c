// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

func entry(t interface{ Fatal(...any) }, index uint64, cmd Command) *raft.Log {
	b, err := EncodeCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return &raft.Log{Index: index, Data: b}
}

// sink is a raft.SnapshotSink in memory.
type sink struct {
	bytes.Buffer
	closed, cancelled bool
}

func (s *sink) ID() string    { return "test" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.cancelled = true; return nil }

func snapshotOf(t interface{ Fatal(...any) }, f *FSM) *sink {
	snap, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Release()
	s := &sink{}
	if err := snap.Persist(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func drawCommand(t *rapid.T) Command {
	agent := rapid.SampledFrom([]string{"a", "b", "c"})
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 8:
		return addToken('1', "agent", "", rapid.Int64Range(0, 9).Draw(t, "expires"), rapid.Int64Range(0, 9).Draw(t, "now"))
	case 9:
		c := admit(agent.Draw(t, "name"), rapid.ByteRange(1, 3).Draw(t, "key"), rapid.SampledFrom([]string{"10.0.0.1", "10.0.0.2"}).Draw(t, "address"))
		c.Hash, c.NowUnixMS = hashOf('1'), rapid.Int64Range(0, 9).Draw(t, "now")
		return Command{Admit: c}
	case 10:
		return Command{Revoke: &Revoke{Role: "agent", Name: agent.Draw(t, "name"), NowUnixMS: 5}}
	case 11:
		return Command{SetKeys: &SetKeys{Keys: []SetupKey{{ID: rapid.Uint32Range(1, 3).Draw(t, "id"), Secret: secret(9)}},
			IfIndex: rapid.Uint64Range(0, 9).Draw(t, "index"), NowUnixMS: 5}}
	case 12:
		s := &State{Seed: secret(4), Keys: []SetupKey{{ID: 7, Secret: secret(5)}}, Policy: Policy{Version: 1, Source: "r"},
			Hosts: []Host{host("a", "10.0.0.1")}}
		return Command{Restore: &Restore{State: s, NowUnixMS: 5}}
	case 4:
		name := rapid.SampledFrom([]string{"p1", "p2", "p3"}).Draw(t, "node")
		return setNode(name, rapid.SampledFrom([]string{"a:1", "a:2"}).Draw(t, "address"))
	case 5:
		return Command{RemoveNode: &RemoveNode{Name: rapid.SampledFrom([]string{"p1", "p2"}).Draw(t, "node")}}
	case 6:
		return addToken('1', "policyd", "p1", rapid.Int64Range(0, 9).Draw(t, "expires"), rapid.Int64Range(0, 9).Draw(t, "now"))
	case 7:
		return numbered(setPolicy(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source")), rapid.ByteRange(1, 3).Draw(t, "number"))
	case 0:
		return setUp(rapid.Byte().Draw(t, "secret"))
	case 1:
		source := rapid.String().Draw(t, "source")
		if rapid.Bool().Draw(t, "of somebody") {
			return Command{SetPolicy: &SetPolicy{Source: source, By: rapid.StringN(-1, -1, MaxBy).Draw(t, "by"),
				RollbackOf: rapid.Uint64().Draw(t, "rollback of")}}
		}
		if rapid.Bool().Draw(t, "conditional") {
			return setPolicy(source, rapid.Uint64Range(0, 5).Draw(t, "version"))
		}
		return setPolicy(source)
	default:
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		h := Host{Name: name.Draw(t, "name"), ChangedUnixMS: rapid.Int64().Draw(t, "time")}
		for _, b := range rapid.SliceOfNDistinct(rapid.ByteRange(1, 9), 1, 4, rapid.ID[byte]).Draw(t, "addresses") {
			h.Addresses = append(h.Addresses, netip.AddrFrom4([4]byte{10, 0, 0, b}))
		}
		h.NFTypes = rapid.SliceOfN(rapid.SampledFrom([]string{"ids", "firewall"}), 0, 2).Draw(t, "types")
		return setHost(h, rapid.SliceOfN(name, 0, 3).Draw(t, "replaces")...)
	}
}

// Two voters that read one log hold one state, also when one of them began
// with a snapshot taken anywhere in it.
func TestFSMIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cmds := rapid.SliceOfN(rapid.Custom(drawCommand), 1, 40).Draw(t, "commands")
		cut := rapid.IntRange(0, len(cmds)).Draw(t, "snapshot after")
		first, second := NewFSM(), NewFSM()
		for i, cmd := range cmds {
			if i == cut {
				s := snapshotOf(t, first)
				if err := second.Restore(io.NopCloser(&s.Buffer)); err != nil {
					t.Fatal(err)
				}
			}
			e := entry(t, uint64(i+1), cmd)
			want := first.Apply(e).(Result)
			if i < cut {
				continue
			}
			got := second.Apply(e).(Result)
			if got.Changed != want.Changed || (got.Err == nil) != (want.Err == nil) {
				t.Fatalf("entry %d: %+v, want %+v", i+1, got, want)
			}
		}
		if cut == len(cmds) {
			s := snapshotOf(t, first)
			if err := second.Restore(io.NopCloser(&s.Buffer)); err != nil {
				t.Fatal(err)
			}
		}
		want, got := snapshotOf(t, first), snapshotOf(t, second)
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Fatalf("state (-want +got):\n%s", diff)
		}
		checkInvariants(t, first)
	})
}

func checkInvariants(t *rapid.T, f *FSM) {
	s, err := f.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	owner := map[netip.Addr]string{}
	for _, h := range s.Hosts {
		for _, a := range h.Addresses {
			if owner[a] != "" {
				t.Fatalf("%s belongs to %s and to %s", a, owner[a], h.Name)
			}
			owner[a] = h.Name
		}
	}
}

func TestFSMStopsAtAnEntryItCannotRead(t *testing.T) {
	f := NewFSM()
	f.Apply(entry(t, 1, setPolicy("a")))
	f.Apply(&raft.Log{Index: 2, Data: []byte(`{"version":9}`)})
	f.Apply(entry(t, 3, setPolicy("b")))

	state, err := f.State()
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("error %v, want %v", err, ErrDamaged)
	}
	if state.Policy.Source != "a" {
		t.Errorf("policy %q was applied after the damage", state.Policy.Source)
	}
	if _, err := f.Snapshot(); !errors.Is(err, ErrDamaged) {
		t.Errorf("snapshot: error %v, want %v", err, ErrDamaged)
	}
}

func TestFSMKeepsItsStateWhenRestoreFails(t *testing.T) {
	f := NewFSM()
	f.Apply(entry(t, 1, setPolicy("a")))
	want, _ := f.State()
	if err := f.Restore(io.NopCloser(bytes.NewBufferString(`{"version":2,"state":{"hosts":[{}]}}`))); err == nil {
		t.Fatal("a damaged snapshot was restored")
	}
	if got, _ := f.State(); got != want {
		t.Error("the state changed")
	}
}

type brokenSink struct{ sink }

func (*brokenSink) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestPersistCancelsABrokenSink(t *testing.T) {
	snap, err := NewFSM().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	s := &brokenSink{}
	if err := snap.Persist(s); err == nil || !s.cancelled || s.closed {
		t.Errorf("error %v, cancelled %t, closed %t", err, s.cancelled, s.closed)
	}
}

func FuzzReadSnapshot(f *testing.F) {
	fsm := NewFSM()
	f.Add(snapshotOf(f, fsm).Bytes())
	fsm.Apply(entry(f, 1, setUp(1)))
	fsm.Apply(entry(f, 2, setPolicy("match(any) >> {}")))
	fsm.Apply(entry(f, 3, setHost(host("a", "10.0.0.1"))))
	fsm.Apply(entry(f, 4, Command{SetPolicy: &SetPolicy{Source: "match(dstport=80) >> {}", By: "10.0.0.7", RollbackOf: 9}}))
	f.Add(snapshotOf(f, fsm).Bytes())
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		state, err := ReadSnapshot(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteSnapshot(&again, state); err != nil {
			t.Fatal(err)
		}
		back, err := ReadSnapshot(&again)
		if err != nil {
			t.Fatalf("what was read does not read again: %v", err)
		}
		if diff := cmp.Diff(state, back, stateOptions); diff != "" {
			t.Errorf("round trip (-want +got):\n%s", diff)
		}
	})
}

// A snapshot outlives the program that wrote it: these bytes never change.
func TestSnapshotGolden(t *testing.T) {
	f := NewFSM()
	f.Apply(entry(t, 4, setUp(1)))
	f.Apply(entry(t, 5, setPolicy("p")))
	f.Apply(entry(t, 6, setHost(host("a", "10.0.0.1"))))
	f.Apply(entry(t, 7, setPolicy("q")))
	f.Apply(entry(t, 8, setNode("p1", "a:1")))
	f.Apply(entry(t, 9, addToken('1', "agent", "", 9, 5)))
	f.Apply(entry(t, 10, Command{SetKeys: &SetKeys{Keys: []SetupKey{{ID: 1, Secret: secret(2)}, {ID: 2, Secret: secret(3), CreatedUnixMS: 4}}, NowUnixMS: 4}}))
	admitted := admit("a", '1', "10.0.0.1")
	admitted.Hash = hashOf('1')
	admitted.NowUnixMS = 6
	f.Apply(entry(t, 11, numbered(Command{Admit: admitted}, 3)))
	want := `{"version":2,"state":{"index":11,"policy":{"version":2,"source":"q","applied_unix_ms":1000},` +
		`"seed":"AQEBAQEBAQEBAQEBAQEBAQ==","keys":[{"id":1,"secret":"AgICAgICAgICAgICAgICAg=="},` +
		`{"id":2,"secret":"AwMDAwMDAwMDAwMDAwMDAw==","created_unix_ms":4}],` +
		`"hosts":[{"name":"a","addresses":["10.0.0.1"]}],` +
		`"history":[{"version":1,"source":"p","applied_unix_ms":1000}],` +
		`"nodes":[{"name":"p1","address":"a:1"}],"requests":[{"id":"AwMDAwMDAwMDAwMDAwMDAw==","policy_version":2}],` +
		`"keys_index":10,"keys_unix_ms":4,` +
		`"tokens":[{"id":"0101010101010101","hash":"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=","role":"agent",` +
		`"uses":0,"expires_unix_ms":9,"created_by":"operator root","created_unix_ms":5}],` +
		`"members":[{"role":"agent","name":"a","addresses":["10.0.0.1"],"epoch":1,` +
		`"key":"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=","token":"0101010101010101","joined_unix_ms":6}]}}` + "\n"
	if diff := cmp.Diff(want, snapshotOf(t, f).String()); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}
