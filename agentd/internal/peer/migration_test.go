// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	pb "google.golang.org/protobuf/proto"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/proto"
)

const migrationID lock.ID = 0x0123456789abcdef

func host(k byte) netip.Addr  { return netip.AddrFrom4([4]byte{10, 0, 0, k}) }
func host6(k byte) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfd, 15: k}) }

func plan() *lock.Plan {
	return &lock.Plan{
		ID: migrationID, Session: syn().ID, Super: tuple("10.0.0.1:40000 > 10.0.0.9:80 tcp"),
		Guarantee: lock.Ordered, Left: host(1), Right: host(4),
		Old: []netip.Addr{host(2)}, New: []netip.Addr{host(3)},
		State:    []lock.Pair{{From: host(2), To: host(3), Method: lock.Conntrack}},
		Patience: 5 * time.Second,
	}
}

// longestPlan has all that a plan may have.
func longestPlan() *lock.Plan {
	p := plan()
	p.Super = tuple("[fd00:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:40000 > [fd00:ffff:ffff:ffff:ffff:ffff:ffff:fff9]:443 tcp")
	p.Left, p.Right, p.Old, p.New, p.State, p.Drop = host6(101), host6(102), nil, nil, nil, true
	rng := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr { // such as compress badly
		a := [16]byte{0: 0xfd}
		for i := 1; i < len(a); i++ {
			a[i] = 0x10 | byte(rng.Uint32()) // four digits in each group
		}
		return netip.AddrFrom16(a)
	}
	for range lock.MaxHosts {
		from, to := address(), address()
		p.Old, p.New = append(p.Old, from), append(p.New, to)
		p.State = append(p.State, lock.Pair{From: from, To: to, Method: lock.Exec})
	}
	return p
}

// migrations has each message once; the bytes of docs/PROTOCOL.md for some.
var migrations = []struct {
	message migrate.Message
	bytes   string
}{
	{lock.Request{Plan: plan()}, ""},
	{lock.Approve{}, "0801 11efcdab8967452301 2200"},
	{lock.Reject{Why: lock.Why{Reason: lock.Busy, Host: host(2)}}, "0801 11efcdab8967452301 2a12 0a10 0a0462757379 120831302e302e302e32"},
	{lock.Cancel{}, ""},
	{migrate.Syn{Plan: plan(), Wire: tuple("10.0.0.1:50001 > 10.0.0.3:50002 tcp")}, ""},
	{migrate.Syn{Plan: longestPlan(), Wire: tuple("[fd00::1]:50001 > [fd00::2]:50002 tcp")}, ""},
	{migrate.SynAck{}, "0801 11efcdab8967452301 4200"},
	{migrate.Ack{}, ""},
	{migrate.Refuse{Why: lock.Why{Reason: lock.Policy}}, ""},
	{migrate.FinAck{}, ""},
	{migrate.NFState{Data: []byte("state")}, "0801 11efcdab8967452301 6207 0a057374617465"},
	{migrate.NFState{Data: bytes.Repeat([]byte{0xff}, maxState)}, ""},
	{migrate.NFStateAck{}, ""},
	{migrate.Close{}, ""},
	{migrate.Closed{}, ""},
	{migrate.Abort{}, ""},
	{migrate.Aborted{}, ""},
	{migrate.Ask{}, "0801 11efcdab8967452301 920100"},
	{migrate.Route{Session: syn().ID, Hops: []netip.Addr{host(3), host(4)}}, ""},
}

var equatePlans = cmp.Options{equateAddrs, cmpopts.EquateEmpty()}

func TestMigrationMessagesThereAndBack(t *testing.T) {
	for _, test := range migrations {
		t.Run(test.message.String(), func(t *testing.T) {
			var b bytes.Buffer
			if err := writeMigration(&b, migrationID, test.message); err != nil {
				t.Fatal(err)
			}
			if want := goldenBytes(t, test.bytes); test.bytes != "" && !bytes.Equal(want, b.Bytes()) {
				t.Errorf("bytes are %s, want %s", hex.EncodeToString(b.Bytes()), hex.EncodeToString(want))
			}
			id, got, err := readMigration(&b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.message, got, equatePlans); diff != "" || id != migrationID {
				t.Errorf("message of %v (-want +got):\n%s", id, diff)
			}
		})
	}
}

// The module keeps no more than this.
const maxKept = 2048

func TestPlansAreKept(t *testing.T) {
	for _, p := range []*lock.Plan{plan(), longestPlan()} {
		b, err := MarshalPlan(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > maxKept {
			t.Errorf("a plan takes %d bytes, the module keeps %d", len(b), maxKept)
		}
		got, err := UnmarshalPlan(p.ID, b)
		if diff := cmp.Diff(p, got, equatePlans); diff != "" || err != nil {
			t.Errorf("plan (-want +got), error %v:\n%s", err, diff)
		}
	}
	if _, err := UnmarshalPlan(1, []byte("no plan")); err == nil {
		t.Error("bytes that are no plan were taken for one")
	}
}

func TestMigrationMessagesRefused(t *testing.T) {
	message := func(m *proto.MigrateMessage) []byte {
		b, err := pb.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	changed := func(change func(*proto.MigratePlan)) []byte {
		p := EncodePlan(plan())
		change(p)
		return message(&proto.MigrateMessage{Version: 1, Id: 1, Body: &proto.MigrateMessage_Request{
			Request: &proto.MigrateRequest{Plan: p},
		}})
	}
	wire := func(text string) []byte {
		return message(&proto.MigrateMessage{Version: 1, Id: 1, Body: &proto.MigrateMessage_Syn{
			Syn: &proto.MigrateSyn{Plan: EncodePlan(plan()), Wire: tupleOf(tuple(text))},
		}})
	}
	why := func(w *proto.MigrateWhy) []byte {
		return message(&proto.MigrateMessage{Version: 1, Id: 1, Body: &proto.MigrateMessage_Reject{
			Reject: &proto.MigrateReject{Why: w},
		}})
	}
	route := func(hops ...string) []byte {
		session := syn().ID
		return message(&proto.MigrateMessage{Version: 1, Id: 1, Body: &proto.MigrateMessage_Route{
			Route: &proto.MigrateRoute{Session: session[:], Hops: hops},
		}})
	}
	long := message(&proto.MigrateMessage{Version: 1, Id: 1, Body: &proto.MigrateMessage_Ask{Ask: &proto.MigrateAsk{}}})
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"nothing", nil},
		{"not protobuf", []byte{0xff, 0xff}},
		{"no body", message(&proto.MigrateMessage{Version: 1})},
		{"later version", message(&proto.MigrateMessage{Version: 2, Body: &proto.MigrateMessage_Ask{}})},
		{"no plan", message(&proto.MigrateMessage{Version: 1, Body: &proto.MigrateMessage_Request{}})},
		{"more behind it than a message has", append(long, bytes.Repeat([]byte{0xfa, 0x07, 0x00}, maxMessage/3)...)},
		{"more than a state has", message(&proto.MigrateMessage{Version: 1, Body: &proto.MigrateMessage_State{
			State: &proto.MigrateState{Data: make([]byte, maxState+1)},
		}})},
		{"short session id", changed(func(p *proto.MigratePlan) { p.Session = p.Session[:15] })},
		{"no guarantee", changed(func(p *proto.MigratePlan) { p.Guarantee = 0 })},
		{"a later guarantee", changed(func(p *proto.MigratePlan) { p.Guarantee = 4 })},
		{"no left anchor", changed(func(p *proto.MigratePlan) { p.Left = "" })},
		{"name instead of an address", changed(func(p *proto.MigratePlan) { p.New[0] = "mb3" })},
		{"a host twice", changed(func(p *proto.MigratePlan) { p.New[0] = p.Old[0] })},
		{"nothing to change", changed(func(p *proto.MigratePlan) { p.Old, p.New, p.State = nil, nil, nil })},
		{"too many hosts", changed(func(p *proto.MigratePlan) { p.Old = slices.Repeat(p.Old, lock.MaxHosts+1) })},
		{"too many states", changed(func(p *proto.MigratePlan) { p.State = slices.Repeat(p.State, lock.MaxHosts+1) })},
		{"state of a stranger", changed(func(p *proto.MigratePlan) { p.State[0].From = "10.0.0.8" })},
		{"state by no method", changed(func(p *proto.MigratePlan) { p.State[0].Method = 0 })},
		{"state by a later method", changed(func(p *proto.MigratePlan) { p.State[0].Method = 259 })},
		{"no patience", changed(func(p *proto.MigratePlan) { p.PatienceMs = 0 })},
		{"supersession of port 0", changed(func(p *proto.MigratePlan) { p.Super.SourcePort = 0 })},
		{"subsession of another family", wire("[fd00::1]:1 > [fd00::2]:2 tcp")},
		{"subsession of another protocol", wire("10.0.0.1:1 > 10.0.0.2:2 udp")},
		{"route to nowhere", route()},
		{"route by more than there can be", route(slices.Repeat([]string{"10.0.0.8"}, maxHops+1)...)},
		{"route by a name", route("mb3")},
		{"route by both families", route("10.0.0.8", "fd00::8")},
		{"no reason", why(nil)},
		{"reason to fool readers of logs", why(&proto.MigrateWhy{Reason: "busy\n"})},
		{"no address", why(&proto.MigrateWhy{Reason: "busy", Address: "here"})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, m, err := readMigration(bytes.NewReader(test.bytes)); !errors.Is(err, ErrMalformed) {
				t.Errorf("read: %v, %v, want %v", m, err, ErrMalformed)
			}
		})
	}
}

// FuzzReadMigration is [FuzzReadMessage] for these.
func FuzzReadMigration(f *testing.F) {
	for _, m := range migrations {
		var b bytes.Buffer
		if err := writeMigration(&b, migrationID, m.message); err != nil {
			f.Fatal(err)
		}
		if b.Len() < maxMessage {
			f.Add(b.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, m, err := readMigration(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := writeMigration(&again, id, m); err != nil {
			t.Fatalf("write %v: %v", m, err)
		}
		_, got, err := readMigration(&again)
		if err != nil {
			t.Fatalf("read %v again: %v", m, err)
		}
		if diff := cmp.Diff(m, got, equatePlans); diff != "" {
			t.Fatalf("message (-first +second):\n%s", diff)
		}
	})
}
