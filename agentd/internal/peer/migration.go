// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	pb "google.golang.org/protobuf/proto"

	"mbchain/agentd/internal/lock"
	"mbchain/agentd/internal/migrate"
	"mbchain/chain"
	"mbchain/proto"
)

// maxState is how long the state of an NF may be, in bytes: that of one session.
// The message around it takes a few more.
const maxState = 1 << 20

// maxHops is how many hosts there may be right of one: the module's limit.
const maxHops = lock.MaxHosts + 2

// writeMigration writes one message of the migration with this id, which is all
// that its stream carries.
func writeMigration(w io.Writer, id lock.ID, m migrate.Message) error {
	out, err := encodeMigration(m)
	if err != nil {
		return err
	}
	out.Version, out.Id = messageVersion, uint64(id)
	b, err := pb.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		return err
	}
	if limit := limitOf(m); len(b) > limit {
		return fmt.Errorf("message of %d bytes, %d are the limit", len(b), limit)
	}
	_, err = w.Write(b)
	return err
}

func limitOf(m migrate.Message) int {
	if _, ok := m.(migrate.NFState); ok {
		return maxState + maxMessage
	}
	return maxMessage
}

// readMigration reads one to the stream's end. [ErrMalformed] when it is none.
func readMigration(r io.Reader) (lock.ID, migrate.Message, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxState+maxMessage+1))
	if err != nil {
		return 0, nil, err
	}
	id, m, err := decodeMigration(b)
	if err == nil && len(b) > limitOf(m) {
		err = fmt.Errorf("more than %d bytes", limitOf(m))
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return id, m, nil
}

func encodeMigration(m migrate.Message) (*proto.MigrateMessage, error) {
	out := new(proto.MigrateMessage)
	switch m := m.(type) {
	case lock.Request:
		out.Body = &proto.MigrateMessage_Request{Request: &proto.MigrateRequest{Plan: EncodePlan(m.Plan)}}
	case lock.Approve:
		out.Body = &proto.MigrateMessage_Approve{Approve: &proto.MigrateApprove{}}
	case lock.Reject:
		out.Body = &proto.MigrateMessage_Reject{Reject: &proto.MigrateReject{Why: EncodeWhy(m.Why)}}
	case lock.Cancel:
		out.Body = &proto.MigrateMessage_Cancel{Cancel: &proto.MigrateCancel{}}
	case migrate.Syn:
		out.Body = &proto.MigrateMessage_Syn{Syn: &proto.MigrateSyn{Plan: EncodePlan(m.Plan), Wire: tupleOf(m.Wire)}}
	case migrate.SynAck:
		out.Body = &proto.MigrateMessage_SynAck{SynAck: &proto.MigrateSynAck{}}
	case migrate.Ack:
		out.Body = &proto.MigrateMessage_Ack{Ack: &proto.MigrateAck{}}
	case migrate.Refuse:
		out.Body = &proto.MigrateMessage_Refuse{Refuse: &proto.MigrateRefuse{Why: EncodeWhy(m.Why)}}
	case migrate.FinAck:
		out.Body = &proto.MigrateMessage_FinAck{FinAck: &proto.MigrateFinAck{}}
	case migrate.NFState:
		out.Body = &proto.MigrateMessage_State{State: &proto.MigrateState{Data: m.Data}}
	case migrate.NFStateAck:
		out.Body = &proto.MigrateMessage_StateAck{StateAck: &proto.MigrateStateAck{}}
	case migrate.Close:
		out.Body = &proto.MigrateMessage_Close{Close: &proto.MigrateClose{}}
	case migrate.Closed:
		out.Body = &proto.MigrateMessage_Closed{Closed: &proto.MigrateClosed{}}
	case migrate.Abort:
		out.Body = &proto.MigrateMessage_Abort{Abort: &proto.MigrateAbort{}}
	case migrate.Aborted:
		out.Body = &proto.MigrateMessage_Aborted{Aborted: &proto.MigrateAborted{}}
	case migrate.Ask:
		out.Body = &proto.MigrateMessage_Ask{Ask: &proto.MigrateAsk{}}
	case migrate.Route:
		out.Body = &proto.MigrateMessage_Route{Route: &proto.MigrateRoute{Session: m.Session[:], Hops: texts(m.Hops)}}
	default:
		return nil, fmt.Errorf("no message: %T", m)
	}
	return out, nil
}

func decodeMigration(b []byte) (lock.ID, migrate.Message, error) {
	var in proto.MigrateMessage
	if err := pb.Unmarshal(b, &in); err != nil {
		return 0, nil, err
	}
	if in.GetVersion() != messageVersion {
		return 0, nil, fmt.Errorf("version %d instead of %d", in.GetVersion(), messageVersion)
	}
	id := lock.ID(in.GetId())
	m, err := migrationBody(id, &in)
	return id, m, err
}

func migrationBody(id lock.ID, in *proto.MigrateMessage) (migrate.Message, error) {
	switch body := in.GetBody().(type) {
	case *proto.MigrateMessage_Request:
		plan, err := DecodePlan(id, body.Request.GetPlan())
		return lock.Request{Plan: plan}, err
	case *proto.MigrateMessage_Approve:
		return lock.Approve{}, nil
	case *proto.MigrateMessage_Reject:
		why, err := decodeWhy(body.Reject.GetWhy())
		return lock.Reject{Why: why}, err
	case *proto.MigrateMessage_Cancel:
		return lock.Cancel{}, nil
	case *proto.MigrateMessage_Syn:
		return decodeUpdateSyn(id, body.Syn)
	case *proto.MigrateMessage_SynAck:
		return migrate.SynAck{}, nil
	case *proto.MigrateMessage_Ack:
		return migrate.Ack{}, nil
	case *proto.MigrateMessage_Refuse:
		why, err := decodeWhy(body.Refuse.GetWhy())
		return migrate.Refuse{Why: why}, err
	case *proto.MigrateMessage_FinAck:
		return migrate.FinAck{}, nil
	case *proto.MigrateMessage_State:
		return decodeState(body.State)
	case *proto.MigrateMessage_StateAck:
		return migrate.NFStateAck{}, nil
	case *proto.MigrateMessage_Close:
		return migrate.Close{}, nil
	case *proto.MigrateMessage_Closed:
		return migrate.Closed{}, nil
	case *proto.MigrateMessage_Abort:
		return migrate.Abort{}, nil
	case *proto.MigrateMessage_Aborted:
		return migrate.Aborted{}, nil
	case *proto.MigrateMessage_Ask:
		return migrate.Ask{}, nil
	case *proto.MigrateMessage_Route:
		return decodeRoute(body.Route)
	}
	return nil, errors.New("nothing that is known")
}

func decodeUpdateSyn(id lock.ID, in *proto.MigrateSyn) (migrate.Message, error) {
	plan, err := DecodePlan(id, in.GetPlan())
	if err != nil {
		return nil, err
	}
	wire, err := fiveTuple(in.GetWire())
	if err != nil {
		return nil, fmt.Errorf("subsession: %w", err)
	}
	if err := wire.Check(); err != nil {
		return nil, fmt.Errorf("subsession: %w", err)
	}
	if wire.Family() != plan.Super.Family() || wire.Protocol != plan.Super.Protocol {
		return nil, errors.New("subsession of another family or protocol")
	}
	return migrate.Syn{Plan: plan, Wire: wire}, nil
}

func decodeRoute(in *proto.MigrateRoute) (migrate.Message, error) {
	if n := len(in.GetHops()); n == 0 || n > maxHops {
		return nil, fmt.Errorf("route of %d hosts, 1 to %d are possible", n, maxHops)
	}
	session, err := chain.SessionIDFromBytes(in.GetSession())
	if err != nil {
		return nil, err
	}
	hops, err := addresses(in.GetHops())
	if err != nil {
		return nil, err
	}
	for _, h := range hops {
		if err := chain.CheckHost(h); err != nil || chain.FamilyOf(h) != chain.FamilyOf(hops[0]) {
			return nil, fmt.Errorf("route by %s", h)
		}
	}
	return migrate.Route{Session: session, Hops: hops}, nil
}

func decodeState(in *proto.MigrateState) (migrate.Message, error) {
	if len(in.GetData()) > maxState {
		return nil, fmt.Errorf("state of %d bytes, %d are the limit", len(in.GetData()), maxState)
	}
	return migrate.NFState{Data: in.GetData()}, nil
}

// EncodeWhy writes why a migration cannot be.
func EncodeWhy(w lock.Why) *proto.MigrateWhy {
	out := &proto.MigrateWhy{Reason: string(w.Reason)}
	if w.Host.IsValid() {
		out.Address = w.Host.String()
	}
	return out
}

func decodeWhy(in *proto.MigrateWhy) (lock.Why, error) {
	w := lock.Why{Reason: lock.Reason(in.GetReason())}
	if !reasonForm.MatchString(in.GetReason()) {
		return w, fmt.Errorf("reason %q is not of a-z, 0-9 and '_'", in.GetReason())
	}
	if in.GetAddress() == "" {
		return w, nil
	}
	var err error
	w.Host, err = netip.ParseAddr(in.GetAddress())
	return w, err
}

// EncodePlan writes a plan, but for its id.
func EncodePlan(p *lock.Plan) *proto.MigratePlan {
	out := &proto.MigratePlan{
		Session: p.Session[:], Super: tupleOf(p.Super),
		Guarantee: proto.Guarantee(p.Guarantee) + proto.Guarantee_GUARANTEE_LOSS_FREE,
		Left:      p.Left.String(), Right: p.Right.String(),
		Old: texts(p.Old), New: texts(p.New), Beyond: texts(p.Beyond),
		PatienceMs:   uint32(min(p.Patience.Milliseconds(), math.MaxUint32)),
		OverflowDrop: p.Drop,
	}
	for _, s := range p.State {
		out.State = append(out.State, &proto.StatePair{
			From: s.From.String(), To: s.To.String(), Method: proto.StateMethod(s.Method),
		})
	}
	return out
}

// compressors are those that are not in use: a new one is half a megabyte.
var compressors = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // there is such a level
	}
	return w
}}

// MarshalPlan writes a plan, but for its id, for the module to keep: compressed, for the
// longest one has the addresses of some fifty hosts.
func MarshalPlan(p *lock.Plan) ([]byte, error) {
	b, err := pb.Marshal(EncodePlan(p))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// UnmarshalPlan reads what MarshalPlan wrote.
func UnmarshalPlan(id lock.ID, b []byte) (*lock.Plan, error) {
	b, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxMessage))
	if err != nil {
		return nil, err
	}
	in := new(proto.MigratePlan)
	if err := pb.Unmarshal(b, in); err != nil {
		return nil, err
	}
	return DecodePlan(id, in)
}

func texts(hosts []netip.Addr) []string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.String())
	}
	return out
}

// DecodePlan returns what [lock.Plan.Check] is content with.
func DecodePlan(id lock.ID, in *proto.MigratePlan) (*lock.Plan, error) {
	p := &lock.Plan{ID: id, Patience: time.Duration(in.GetPatienceMs()) * time.Millisecond, Drop: in.GetOverflowDrop()}
	if len(in.GetOld()) > lock.MaxHosts || len(in.GetNew()) > lock.MaxHosts || len(in.GetState()) > lock.MaxHosts || len(in.GetBeyond()) > lock.MaxHosts {
		return nil, fmt.Errorf("plan of %d old, %d new and %d hosts beyond them, and %d states, %d are the limit",
			len(in.GetOld()), len(in.GetNew()), len(in.GetBeyond()), len(in.GetState()), lock.MaxHosts)
	}
	var err error
	if p.Session, err = chain.SessionIDFromBytes(in.GetSession()); err != nil {
		return nil, err
	}
	if p.Super, err = fiveTuple(in.GetSuper()); err != nil {
		return nil, fmt.Errorf("supersession: %w", err)
	}
	if in.GetGuarantee() < proto.Guarantee_GUARANTEE_LOSS_FREE || in.GetGuarantee() > proto.Guarantee_GUARANTEE_SUBSTREAM {
		return nil, fmt.Errorf("guarantee %d", in.GetGuarantee())
	}
	p.Guarantee = lock.Guarantee(in.GetGuarantee() - proto.Guarantee_GUARANTEE_LOSS_FREE)
	hosts, err := addresses(slices.Concat([]string{in.GetLeft(), in.GetRight()}, in.GetOld(), in.GetNew()))
	if err != nil {
		return nil, err
	}
	p.Left, p.Right = hosts[0], hosts[1]
	p.Old = slices.Clip(hosts[2 : 2+len(in.GetOld())])
	p.New = hosts[2+len(in.GetOld()):]
	if p.Beyond, err = addresses(in.GetBeyond()); err != nil {
		return nil, err
	}
	for _, s := range in.GetState() {
		pair, err := addresses([]string{s.GetFrom(), s.GetTo()})
		if err != nil {
			return nil, err
		}
		if s.GetMethod() < 0 || s.GetMethod() > proto.StateMethod_STATE_METHOD_EXEC {
			return nil, fmt.Errorf("state moved by method %d", s.GetMethod())
		}
		p.State = append(p.State, lock.Pair{From: pair[0], To: pair[1], Method: lock.Method(s.GetMethod())})
	}
	return p, p.Check()
}

func addresses(texts []string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, t := range texts {
		addr, err := netip.ParseAddr(t)
		if err != nil {
			return nil, fmt.Errorf("host: %w", err)
		}
		out = append(out, addr)
	}
	return out, nil
}
