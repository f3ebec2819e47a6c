// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"slices"
)

// Access is who may call a procedure.
type Access struct {
	Roles []Role
	// Anyone: also who has no certificate. The procedure judges by itself.
	Anyone bool
	// Local: only on a unix socket of the host, where the file's owner and mode
	// decide.
	Local bool
	// Change: it changes something, and is written to the audit log.
	Change bool
}

var (
	look    = Access{Roles: []Role{Operator, Viewer}}
	change  = Access{Roles: []Role{Operator}, Change: true}
	agents  = Access{Roles: []Role{Agent}}
	onHost  = Access{Local: true}
	members = Access{Roles: []Role{Agent, Policyd, Operator, Viewer}}
)

// access has a line for every procedure of proto; a test finds the one that is
// missing. What is not in it nobody may call.
var access = map[string]Access{
	"/mbchain.v1.PolicyService/Check":   look,
	"/mbchain.v1.PolicyService/Apply":   change,
	"/mbchain.v1.PolicyService/Get":     look,
	"/mbchain.v1.PolicyService/Explain": look,
	"/mbchain.v1.PolicyService/History": look,

	"/mbchain.v1.DomainService/GetStatus":    look,
	"/mbchain.v1.DomainService/ListHosts":    look,
	"/mbchain.v1.DomainService/ListSessions": look,
	"/mbchain.v1.DomainService/GetStats":     look,
	"/mbchain.v1.DomainService/Examine":      look,

	"/mbchain.v1.MigrationService/Start": change,
	"/mbchain.v1.MigrationService/List":  look,
	"/mbchain.v1.MigrationService/Abort": change,

	"/mbchain.v1.AgentService/Subscribe":   agents,
	"/mbchain.v1.AgentService/Acknowledge": agents,
	"/mbchain.v1.AgentService/Answer":      agents,
	"/mbchain.v1.AgentService/Report":      agents,
	"/mbchain.v1.AgentService/Ask":         {Roles: []Role{Agent}, Change: true},

	"/mbchain.v1.NFService/List":    look,
	"/mbchain.v1.NFService/Drain":   change,
	"/mbchain.v1.NFService/Undrain": change,

	"/mbchain.v1.ClusterService/GetNode":         {Roles: []Role{Policyd, Operator, Viewer}},
	"/mbchain.v1.ClusterService/GetCluster":      look,
	"/mbchain.v1.ClusterService/JoinNode":        {Roles: []Role{Policyd}, Change: true},
	"/mbchain.v1.ClusterService/RemoveNode":      change,
	"/mbchain.v1.ClusterService/TransferLeader":  change,
	"/mbchain.v1.ClusterService/TakeSnapshot":    change, // changes nothing, and hands out the CA's key
	"/mbchain.v1.ClusterService/RestoreSnapshot": change,

	"/mbchain.v1.IdentityService/Join":         {Anyone: true, Change: true},
	"/mbchain.v1.IdentityService/Renew":        members,
	"/mbchain.v1.IdentityService/CreateToken":  change,
	"/mbchain.v1.IdentityService/ListTokens":   change.reading(),
	"/mbchain.v1.IdentityService/RevokeToken":  change,
	"/mbchain.v1.IdentityService/ListMembers":  look,
	"/mbchain.v1.IdentityService/RevokeMember": change,
	"/mbchain.v1.IdentityService/ListKeys":     look,
	"/mbchain.v1.IdentityService/RotateKey":    change,

	"/mbchain.v1.LocalService/GetStatus":    onHost,
	"/mbchain.v1.LocalService/ListSessions": onHost,
	"/mbchain.v1.LocalService/GetStats":     onHost,
	"/mbchain.v1.LocalService/Ask":          onHost,
	"/mbchain.v1.LocalService/Examine":      onHost,
}

// reading is the same roles for what changes nothing.
func (a Access) reading() Access { return Access{Roles: a.Roles} }

// AccessTo returns who may call a procedure: nobody, where false.
func AccessTo(procedure string) (Access, bool) {
	a, ok := access[procedure]
	return a, ok
}

// Check says whether a role may call it.
func (a Access) Check(s Subject, procedure string) error {
	if a.Anyone || slices.Contains(a.Roles, s.Role) {
		return nil
	}
	return fmt.Errorf("%w: %s may not call %s, which is for %v", ErrRole, s, procedure, a.Roles)
}
