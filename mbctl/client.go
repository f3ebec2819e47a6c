// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/urfave/cli/v2"

	"mbchain/identity"
	"mbchain/proto"
	"mbchain/proto/protoconnect"
)

// defaultPolicyd is where policyd listens on the host that runs it.
const defaultPolicyd = "127.0.0.1:7400"

// agentSocket is where agentd listens by default; named in help only.
const agentSocket = "/run/mbchain/agentd.sock"

// policyd is the domain's server, as one command uses it.
type policyd struct {
	remote
	addresses []string
	shown     *identity.Bundle // to those that are no sockets

	policy  protoconnect.PolicyServiceClient
	domain  protoconnect.DomainServiceClient
	migrate protoconnect.MigrationServiceClient
	cluster protoconnect.ClusterServiceClient
	who     protoconnect.IdentityServiceClient
	nfs     protoconnect.NFServiceClient
}

// agent is the local agent, as one command uses it.
type agent struct {
	remote
	local protoconnect.LocalServiceClient
}

// source answers for sessions and counters: policyd for all hosts, the local
// agent for its own.
type source struct {
	reporter
	remote
	policyd *policyd // nil: this is the local agent
}

type reporter interface {
	ListSessions(context.Context, *proto.ListSessionsRequest) (*proto.ListSessionsResponse, error)
	GetStats(context.Context, *proto.GetStatsRequest) (*proto.GetStatsResponse, error)
}

// policyd is for commands that an agent cannot answer.
func (w *world) policyd(c *cli.Context) (*policyd, error) {
	if c.String("agent") != "" {
		return nil, usagef("%s asks policyd: --agent goes with doctor, session, stats, status, migrate leave and migrate request only",
			c.Command.HelpName)
	}
	addresses, err := w.policydAddresses(c)
	if err != nil {
		return nil, err
	}
	shown, err := w.identity(c.Context, addresses)
	if err != nil {
		return nil, err
	}
	return w.policydAt(addresses, shown), nil
}

// policydAndOperands is for commands that take operands beside.
func (w *world) policydAndOperands(c *cli.Context, least, most int) (*policyd, []string, error) {
	args, err := operands(c, least, most)
	if err != nil {
		return nil, nil, err
	}
	p, err := w.policyd(c)
	return p, args, err
}

// policydAt is the policyds at these addresses, any of which will do.
func (w *world) policydAt(addresses []string, shown *identity.Bundle) *policyd {
	const url = "http://policyd" // in its place comes that of the one that is asked
	client := &http.Client{Transport: w.nodes(addresses, shown)}
	return &policyd{
		remote: remote{
			name:    "policyd at " + strings.Join(addresses, ", "),
			restart: "is it running? pass --policyd or set MBCHAIN_POLICYD",
		},
		addresses: addresses,
		shown:     shown,

		policy:  protoconnect.NewPolicyServiceClient(client, url, cleaning()),
		domain:  protoconnect.NewDomainServiceClient(client, url, cleaning()),
		migrate: protoconnect.NewMigrationServiceClient(client, url, cleaning()),
		cluster: protoconnect.NewClusterServiceClient(client, url, cleaning()),
		who:     protoconnect.NewIdentityServiceClient(client, url, cleaning()),
		nfs:     protoconnect.NewNFServiceClient(client, url, cleaning()),
	}
}

// agent is nil unless --agent is given.
func (w *world) agent(c *cli.Context) *agent {
	if socket := c.String("agent"); socket != "" {
		return w.agentAt(socket)
	}
	return nil
}

func (w *world) agentAt(socket string) *agent {
	return &agent{
		remote: remote{
			name:    "agentd at " + socket,
			restart: "is it running? pass the socket that agentd --socket names",
		},
		local: protoconnect.NewLocalServiceClient(w.httpClient("unix", socket), "http://agentd", cleaning()),
	}
}

// source is whom sessions and counters are asked of.
func (w *world) source(c *cli.Context) (*source, error) {
	if a := w.agent(c); a != nil {
		if c.String("host") != "" {
			return nil, usagef("read --host: an agent knows its own host alone: leave out --host or --agent")
		}
		return &source{a.local, a.remote, nil}, nil
	}
	p, err := w.policyd(c)
	if err != nil {
		return nil, err
	}
	return &source{p.domain, p.remote, p}, nil
}

// httpClient speaks to one address whatever the URL says, and to no proxy.
func (w *world) httpClient(network, address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return w.dial(ctx, network, address)
		},
	}}
}
