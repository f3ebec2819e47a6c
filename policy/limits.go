// SPDX-License-Identifier: Apache-2.0

package policy

// Bounds of the language. Those that the kernel module sets are named after
// kmod/uapi/mbchain.h, and a policy within them always fits into the module.
const (
	MaxSource       = 4 << 20 // bytes of policy text: what one control message may carry
	MaxRules        = 65536   // MBC_MAX_RULES
	MaxTypes        = 256     // MBC_MAX_TYPES
	MaxInstances    = 256     // of one type, MBC_MAX_INSTANCES
	MaxChain        = 15      // types in one chain, MBC_MAX_HOPS less the server
	MaxTypeName     = 31      // bytes, MBC_TYPE_NAME_LEN less the final zero
	MaxRuleName     = 63      // bytes
	MaxGroups       = 1024    // of addresses, in one policy
	MaxGroupName    = 63      // bytes
	MaxMembers      = 512     // addresses and prefixes of one group, those of groups in it included
	MaxDocuments    = 256     // of one policy
	MaxDocumentName = 63      // bytes
	MaxInstanceName = 63      // bytes, as a host name's label
	MaxWeight       = 65535   // of an instance
	MaxPrograms     = 256     // of one policy for one family, MBC_MAX_PROGS
	MaxInstructions = 4096    // of one program, BPF_MAXINSNS

	// MaxDepth bounds how deep "(" and "~" nest, and with it every
	// recursion over a predicate.
	MaxDepth = 64
	// MaxTerms is how many terms one predicate may have: a term costs at
	// most 6 instructions and a rule must fit into one program. An IPv6
	// prefix counts once for each 32 bits it begins, up to four times.
	MaxTerms = 512
	// MaxErrors is how many errors are reported at once, and how many
	// warnings: more help nobody.
	MaxErrors = 20
	// MaxText is the longest line, in bytes, that a diagnostic shows.
	MaxText = 1024
)
