// SPDX-License-Identifier: Apache-2.0

// Package policy is the policy language: it parses, checks, prints, evaluates,
// compiles, explains and splits policies (paper, section 3.2).
//
// A policy declares NF types with their instances, and rules that say which
// chain of types a session passes. The first rule that matches wins.
//
//	type firewall { mb1 10.0.0.2 fd00::2 weight 2, mb3 10.0.0.4 }
//	type ids { 10.0.0.3 }
//	match(dstport=80 & srcip=10.0.0.0/24) >> {firewall -> ids}
//	match(dstport=80 & srcip=fd00::/64) >> {firewall}
//	match(proto=tcp & ~(dstip=192.0.2.1)) >> {firewall} on-failure bypass
//	match(dstport=8080) >> {ids} live-sessions migrate may-leave ids
//	rule guests match(srcip=visitors) >> {} priority 10
//	group visitors { 10.9.0.0/16, fd00:9::/48 }
//
// # Grammar
//
// In EBNF. Blanks separate words, "#" begins a comment up to the end of the
// line, and newlines inside brackets are blanks.
//
//	policy    = [ statement ] { end [ statement ] } .
//	end       = newline | ";" .
//	statement = document | group | type | rule .
//
//	document  = "document" name .
//
//	group     = "group" name "{" member { "," member } [ "," ] "}" .
//	member    = address | prefix | name .
//
//	type      = "type" name "{" instance { "," instance } [ "," ] "}"
//	            [ "choose" ( "hash" | "round-robin" | "sticky-source" | "least-loaded" ) ]
//	            [ "decide" ( "agent" | "policyd" ) ] .
//	instance  = [ name ] address [ address ] [ "weight" number ] .
//
//	rule      = [ "rule" name ] "match" "(" predicate ")" ">>" "{" [ chain ] "}" { clause } .
//	chain     = name { arrow name } .
//	arrow     = "->" | "→" .
//	clause    = "priority" number
//	          | "on-failure" ( "block" | "bypass" )
//	          | "set-up" ( "auto" | "in-band" | "out-of-band" )
//	          | "enforce" ( "best-effort" | "required" )
//	          | "live-sessions" ( "new-only" | "migrate" | "reset" )
//	          | ( "may-leave" | "may-insert" ) name { "," name } .
//
//	predicate = and { "|" and } .
//	and       = unary { "&" unary } .
//	unary     = "~" unary | "(" predicate ")" | term .
//	term      = "any" | "*"
//	          | ( "srcip" | "dstip" ) "=" ( address | prefix | name )
//	          | ( "srcport" | "dstport" ) "=" ( number | number "-" number )
//	          | "proto" "=" ( "tcp" | "udp" | number ) .
//
// A name in the place of an address is that of a group. Groups and types may be
// declared after the rules that name them. Each clause may stand once in a rule, in any order. A name is a letter or "_"
// and then letters, digits, "-", "_" and "."; a range is written without blanks.
// Of two addresses of an instance one is of IPv4 and one of IPv6. Limits are the
// constants Max*.
//
// # Families
//
// A session is of IPv4 or of IPv6. A term about addresses of one family holds
// for no session of the other; all other terms hold for both alike. Of a type a
// session can get the instances that have an address of its family.
//
// # From text to packets
//
// [Parse] makes a [Policy] or [Errors]. [Policy.Split] cuts out what one host
// needs, [Compile] and [Compile6] make classic BPF of it, and [Choose] and
// [BuildPath] work out the hosts of a session, all as the kernel module does.
// [Policy.Match] is the reference semantics, [Policy.Explain] the same with
// reasons.
//
// The package imports chain and no other package of ours; it does no I/O and
// knows neither clock nor randomness. Functions may be called concurrently,
// and a Policy, once parsed, is never changed.
package policy
