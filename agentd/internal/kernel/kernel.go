// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"mbchain/agentd/internal/subpolicy"
	"mbchain/chain"
	"mbchain/genl"
	"mbchain/proto"
)

// Info describes the module and what it runs.
type Info struct {
	subpolicy.Module
	ModuleVersion string
	Rules         uint32
	Sessions      uint32 // live now
	MaxSessions   uint32
	SessionBytes  uint32 // memory of one session, but for its share of TableBytes
	TableBytes    uint64 // memory of the tables that lead to sessions
	Instance      uint16 // differs from one loading of the module to the next
	NF            NF     // how the host's NF gets its packets
	Gateway       bool   // rules hold for what is forwarded, too
}

// A Kernel speaks to the module of one network namespace.
type Kernel struct {
	dial genl.Dialer

	mu     sync.Mutex
	client *genl.Client // nil: none yet
	setups *genl.Client // for set-ups, which must not wait for long dumps; nil: none yet
	movers [movers]*genl.Client
}

// movers is how many connections carry orders about live sessions: some of those wait
// for all processors.
const movers = 4

// New returns a kernel that dials, for the network namespace of this process,
// when it is first needed.
func New() *Kernel { return &Kernel{dial: genl.Dial} }

// Close gives the connection back. A later call dials again.
func (k *Kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	clients := []**genl.Client{&k.client, &k.setups}
	for i := range k.movers {
		clients = append(clients, &k.movers[i])
	}
	for _, client := range clients {
		if *client != nil {
			errs = append(errs, (*client).Close())
			*client = nil
		}
	}
	return errors.Join(errs...)
}

// dialled returns the client, and dials if there is none. A client finds a
// module that was loaded anew by itself, and is kept.
func (k *Kernel) dialled() (*genl.Client, error) { return k.dialInto(&k.client) }

// dialledForSetups is dialled, for set-ups.
func (k *Kernel) dialledForSetups() (*genl.Client, error) { return k.dialInto(&k.setups) }

// dialledFor is dialled, for orders about a live session.
func (k *Kernel) dialledFor(id chain.SessionID) (*genl.Client, error) {
	return k.dialInto(&k.movers[int(id[0])%movers])
}

func (k *Kernel) dialInto(client **genl.Client) (*genl.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if *client == nil {
		dialled, err := genl.NewClient(k.dial)
		if err != nil {
			return nil, classified(err)
		}
		*client = dialled
	}
	return *client, nil
}

// doubt gives a client up whose failure nothing explains, and classifies the
// failure.
func (k *Kernel) doubt(ctx context.Context, client *genl.Client, err error) error {
	var refused *genl.RefusedError
	if ctx.Err() != nil || errors.As(err, &refused) || errors.Is(err, genl.ErrNotSupported) {
		return classified(err)
	}
	k.mu.Lock()
	if k.client == client {
		k.client = nil
	}
	k.mu.Unlock()
	_ = client.Close() // waits for requests of others
	return classified(err)
}

// Info asks the module what it is and runs.
func (k *Kernel) Info(ctx context.Context) (Info, error) {
	client, err := k.dialled()
	if err != nil {
		return Info{}, err
	}
	i, err := client.Info(ctx)
	if err != nil {
		return Info{}, k.doubt(ctx, client, err)
	}
	info := Info{
		Module:        subpolicy.Module{Version: i.PolicyVersion, KeyIDs: i.KeyIDs},
		ModuleVersion: i.ModuleVersion,
		Rules:         i.Rules,
		Sessions:      i.Sessions,
		MaxSessions:   i.Config.MaxSessions,
		SessionBytes:  i.SessionBytes,
		TableBytes:    i.TableBytes,
		Instance:      i.Family,
		NF:            nfOf(i.NF),
		Gateway:       i.Config.Gateway != nil && *i.Config.Gateway,
	}
	if i.PolicyVersion == 0 {
		return info, nil
	}
	p, err := client.Policy(ctx)
	if err != nil {
		return Info{}, classified(err)
	}
	info.Version, info.Seed = p.Version, p.Seed[:]
	return info, nil
}

// SetKeys replaces the set-up keys. The first one signs.
func (k *Kernel) SetKeys(ctx context.Context, keys []*proto.SetupKey) error {
	out := make([]genl.Key, 0, len(keys))
	for _, key := range keys {
		if len(key.GetSecret()) != genl.KeyLen {
			return fmt.Errorf("set keys: key %d has %d bytes instead of %d",
				key.GetId(), len(key.GetSecret()), genl.KeyLen)
		}
		out = append(out, genl.Key{ID: key.GetId(), Secret: genl.Secret(key.GetSecret())})
	}
	client, err := k.dialled()
	if err != nil {
		return err
	}
	return classified(client.SetKeys(ctx, out))
}

// SetGateway says whether rules hold for what the host forwards, too.
func (k *Kernel) SetGateway(ctx context.Context, gateway bool) error {
	client, err := k.dialled()
	if err != nil {
		return err
	}
	return classified(client.SetConfig(ctx, genl.Config{Gateway: &gateway}))
}

// LoadPolicy compiles a subpolicy and replaces the running one by it, at once
// and whole, or not at all. Its keys are left out: see [Kernel.SetKeys].
func (k *Kernel) LoadPolicy(ctx context.Context, sub *proto.Subpolicy) error {
	p, err := compile(sub)
	if err != nil {
		return fmt.Errorf("compile subpolicy: %w", err)
	}
	client, err := k.dialled()
	if err != nil {
		return err
	}
	return classified(client.LoadPolicy(ctx, p))
}

// Counters returns the module's counters in its order.
func (k *Kernel) Counters(ctx context.Context) ([]*proto.Counter, error) {
	client, err := k.dialled()
	if err != nil {
		return nil, err
	}
	counters, err := client.Stats(ctx)
	if err != nil {
		return nil, classified(err)
	}
	out := make([]*proto.Counter, 0, len(counters))
	for _, c := range counters {
		out = append(out, &proto.Counter{Name: c.Name, Value: c.Value})
	}
	return out, nil
}
