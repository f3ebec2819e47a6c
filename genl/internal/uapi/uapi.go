// SPDX-License-Identifier: Apache-2.0

package uapi

// The family.
const (
	GenlName    = "mbchain"
	GenlVersion = 1
	GroupEvents = "events"
	GroupSetup  = "setup"
)

// Limits.
const (
	IDLen        = 16    // session id, random bytes
	KeyLen       = 16    // SipHash-2-4 key
	MaxKeys      = 4     // old and new during rotation, with room
	MaxHops      = 16    // hosts right of the client, server included
	MaxInstances = 256   // of one NF type
	MaxTypes     = 256   // of one policy
	MaxRules     = 65536 // of one policy
	MaxHosts     = 65536 // of one policy
	MaxProgs     = 256   // of one policy
	MaxPlan      = 2048  // bytes, of one migration
	TypeNameLen  = 32    // with its final zero

	PauseTime    = 2000     // ms that packets of a live session wait
	PausePackets = 8192     // that wait
	PauseBytes   = 16777216 // in them

	AnswerGo    = 1 << 31 // of a program: another one is next
	AnswerShift = 17      // bits of the rule's number below that program's

	ControlPriority = 1835164520 // SO_PRIORITY of sockets that are never chained
)

// enum mbc_cmd
const (
	CmdUnspec = iota
	CmdGetInfo
	CmdSetConfig
	CmdSetKeys
	CmdPolicyBegin
	CmdPolicyAdd
	CmdPolicyCommit
	CmdGetPolicy
	CmdGetRule
	CmdGetSession
	CmdDelSession
	CmdGetStats
	CmdEventSessionNew
	CmdEventSessionEnd
	CmdEventPolicy
	CmdNewSession
	CmdSetSession
	CmdGetPeer
	CmdEventSetup
	CmdSetNF
	CmdBeginMigration
	CmdSwitchPath
	CmdEndMigration
	CmdEventMigration
	CmdPause
	CmdLockSession
	CmdMark
	CmdGetMigration
	CmdSetHops
)

// enum mbc_info_attr
const (
	InfoAttrUnspec = iota
	InfoAttrPad
	InfoAttrVersion
	InfoAttrSessions
	InfoAttrSessionBytes
	InfoAttrPolicyVersion
	InfoAttrRules
	InfoAttrKeyID
	InfoAttrConfig
	InfoAttrNF
	InfoAttrTableBytes
)

// enum mbc_config_attr
const (
	ConfigAttrUnspec = iota
	ConfigAttrMaxSessions
	ConfigAttrSYNTimeout
	ConfigAttrIdleTimeout
	ConfigAttrCloseTimeout
	ConfigAttrFreshness
	ConfigAttrPortMin
	ConfigAttrPortMax
	ConfigAttrUDPTimeout
	ConfigAttrUDPStreamTimeout
	ConfigAttrSetupTimeout
	ConfigAttrGateway
)

// enum mbc_keys_attr
const (
	KeysAttrUnspec = iota
	KeysAttrKey
)

// enum mbc_key_attr
const (
	KeyAttrUnspec = iota
	KeyAttrID
	KeyAttrSecret
)

// enum mbc_policy_attr
const (
	PolicyAttrUnspec = iota
	PolicyAttrPad
	PolicyAttrVersion
	PolicyAttrSeed
	PolicyAttrType
	PolicyAttrRule
	PolicyAttrProg
	PolicyAttrHost4
	PolicyAttrNTypes
	PolicyAttrNRules
	PolicyAttrNProgs
	PolicyAttrNHosts
	PolicyAttrProg6
	PolicyAttrHost6
	PolicyAttrGuard
	PolicyAttrGuardProg
	PolicyAttrGuardProg6
)

// enum mbc_guard_attr
const (
	GuardAttrUnspec = iota
	GuardAttrID
	GuardAttrRequired
)

// enum mbc_type_attr
const (
	TypeAttrUnspec = iota
	TypeAttrName
	TypeAttrInstance
	TypeAttrChoice
)

// enum mbc_choice
const (
	ChoiceHash = iota
	ChoiceSource
	ChoiceTurn
)

// enum mbc_instance_attr
const (
	InstanceAttrUnspec = iota
	InstanceAttrAddr4
	InstanceAttrWeight
	InstanceAttrAddr6
)

// enum mbc_rule_attr
const (
	RuleAttrUnspec = iota
	RuleAttrPad
	RuleAttrID
	RuleAttrOnFailure
	RuleAttrTypes
	RuleAttrHits
	RuleAttrSetup
)

// enum mbc_on_failure
const (
	OnFailureBlock = iota
	OnFailureBypass
)

// enum mbc_setup_way
const (
	SetupWayAuto = iota
	SetupWayInBand
	SetupWayOutOfBand
)

// enum mbc_session_attr
const (
	SessionAttrUnspec = iota
	SessionAttrPad
	SessionAttrID
	SessionAttrRole
	SessionAttrState
	SessionAttrSuper
	SessionAttrLeft
	SessionAttrRight
	SessionAttrRule
	SessionAttrPolicyVersion
	SessionAttrHops
	SessionAttrAge
	SessionAttrIdle
	SessionAttrEnd
	SessionAttrHops6
	SessionAttrSetup
	SessionAttrKnown
	SessionAttrLive
	SessionAttrMigration
	SessionAttrPath
	SessionAttrPassed
	SessionAttrPart
	SessionAttrPlan
	SessionAttrTime
	SessionAttrPackets
	SessionAttrBytes
	SessionAttrDrop
	SessionAttrCheckpoint
	SessionAttrGone
	SessionAttrInstalled
	SessionAttrPaused
	SessionAttrAckReached
	SessionAttrOverflow
	SessionAttrNewPathUsed
)

// enum mbc_role
const (
	RoleUnspec = iota
	RoleClient
	RoleMiddle
	RoleServer
)

// enum mbc_tcp_state
const (
	TCPNone = iota
	TCPSYN
	TCPEstablished
	TCPClosing
	TCPClosed
	TCPReset
)

// enum mbc_setup_state
const (
	SetupUnspec = iota
	SetupInBand
	SetupWaiting
	SetupDone
	SetupFailed
	SetupBlocked
	SetupBypassed
)

// enum mbc_path
const (
	PathOld = iota
	PathNew
)

// enum mbc_part
const (
	PartLeft = iota
	PartRight
	PartLeaving
	PartJoining
)

// enum mbc_nf_attr
const (
	NFAttrUnspec = iota
	NFAttrMode
	NFAttrDev
)

// enum mbc_nf_mode
const (
	NFInline = iota
	NFTap
	NFRedirect
	NFNone
)

// enum mbc_peer_attr
const (
	PeerAttrUnspec = iota
	PeerAttrPad
	PeerAttrAddr4
	PeerAttrAddr6
	PeerAttrExpires
	PeerAttrSessions
)

// enum mbc_tuple_attr
const (
	TupleAttrUnspec = iota
	TupleAttrSaddr4
	TupleAttrDaddr4
	TupleAttrSport
	TupleAttrDport
	TupleAttrProto
	TupleAttrSaddr6
	TupleAttrDaddr6
)

// enum mbc_side_attr
const (
	SideAttrUnspec = iota
	SideAttrPad
	SideAttrTuple
	SideAttrInPackets
	SideAttrInBytes
	SideAttrOutPackets
	SideAttrOutBytes
)

// enum mbc_stats_attr
const (
	StatsAttrUnspec = iota
	StatsAttrCounter
)

// enum mbc_counter_attr
const (
	CounterAttrUnspec = iota
	CounterAttrPad
	CounterAttrReason
	CounterAttrName
	CounterAttrValue
)
