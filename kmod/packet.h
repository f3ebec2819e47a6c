/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One packet on its way through the module: where its headers are, what they
 * say, and the changes that a SYN needs. Every length is checked here, once.
 */
#ifndef MBC_PACKET_H
#define MBC_PACKET_H

#include <linux/ip.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "net.h"
#include "setup.h"
#include "stats.h"
#include "tcp.h"
#include "tuple.h"

/** enum mbc_verdict - what becomes of a packet; hooks.c makes NF_* of it */
enum mbc_verdict {
	MBC_ACCEPT,	/* goes on, rewritten or as it was */
	MBC_DROP,	/* a counter went up for it */
	MBC_STOLEN,	/* it waits; we send it on later */
};

/**
 * struct mbc_packet - a TCP or UDP packet over IPv4 or IPv6, parsed
 * @skb: data at the IP header; all headers with options are linear
 * @tuple: its five-tuple
 * @flags: MBC_TCP_* of its TCP header; UDP: none
 * @forwarded: it came in by a device and is not for this host
 * @l4_off: offset of the TCP or UDP header from skb->data
 * @data_off: offset of its payload from skb->data
 * @wire_len: IP length on the wire, a set-up header of this hop included
 *
 * Header pointers are not kept: they move when the skb is made writable.
 */
struct mbc_packet {
	struct sk_buff *skb;
	struct mbc_tuple tuple;
	u8 flags;
	bool forwarded;
	unsigned int l4_off;
	unsigned int data_off;
	unsigned int wire_len;
};

static inline struct tcphdr *mbc_packet_tcp(const struct mbc_packet *p)
{
	return (struct tcphdr *)(p->skb->data + p->l4_off);
}

/** mbc_packet_opens() - SYN without ACK: the first packet of a TCP connection */
static inline bool mbc_packet_opens(const struct mbc_packet *p)
{
	return (p->flags & (MBC_TCP_SYN_FLAG | MBC_TCP_ACK | MBC_TCP_RST |
			    MBC_TCP_FIN)) == MBC_TCP_SYN_FLAG;
}

/** mbc_packet_payload() - bytes of payload in it; of a GSO packet all of them */
static inline unsigned int mbc_packet_payload(const struct mbc_packet *p)
{
	return p->skb->len - p->data_off;
}

/** mbc_packet_seq() - sequence number of a TCP packet, host byte order */
static inline u32 mbc_packet_seq(const struct mbc_packet *p)
{
	return ntohl(mbc_packet_tcp(p)->seq);
}

/** mbc_packet_may_open() - can this be the first packet of a session? */
static inline bool mbc_packet_may_open(const struct mbc_packet *p)
{
	return p->tuple.proto == IPPROTO_UDP || mbc_packet_opens(p);
}

/* Bits of the IP layers' own control blocks that no kernel we support uses. */
#define MBC_RESTORED BIT(15)	/* what it is now it became in mbc_inbound() */
#define MBC_SINGULAR BIT(14)	/* more than addresses and device decides its route */
#define MBC_RELEASED BIT(13)	/* has waited: see pause.h */

static inline u16 *mbc_packet_flags(struct sk_buff *skb, u8 family)
{
	return family == AF_INET ? &IPCB(skb)->flags : &IP6CB(skb)->flags;
}

static inline void mbc_packet_mark_restored(struct sk_buff *skb, u8 family)
{
	*mbc_packet_flags(skb, family) |= MBC_RESTORED;
}

static inline void mbc_packet_mark_singular(struct sk_buff *skb, u8 family)
{
	*mbc_packet_flags(skb, family) |= MBC_SINGULAR;
}

static inline bool mbc_packet_is_restored(struct sk_buff *skb, u8 family)
{
	return *mbc_packet_flags(skb, family) & MBC_RESTORED;
}

static inline void mbc_packet_mark_released(struct sk_buff *skb, u8 family)
{
	*mbc_packet_flags(skb, family) |= MBC_RELEASED;
}

static inline bool mbc_packet_is_released(struct sk_buff *skb, u8 family)
{
	return *mbc_packet_flags(skb, family) & MBC_RELEASED;
}

/** mbc_packet_shows_route() - will others of its session go where it goes? */
static inline bool mbc_packet_shows_route(struct sk_buff *skb, u8 family)
{
	return (*mbc_packet_flags(skb, family) &
		(MBC_RESTORED | MBC_SINGULAR)) == MBC_RESTORED;
}

/** mbc_packet_may_be() - can a session have packets of this protocol? */
static inline bool mbc_packet_may_be(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/* Are @len bytes of headers linear, or can they be made so? */
static __always_inline bool mbc_packet_linear(struct sk_buff *skb,
					      unsigned int len)
{
	return likely(len <= skb_headlen(skb)) || pskb_may_pull(skb, len);
}

/* Length of the TCP or UDP header at @off, 0 if it is not all there. */
static __always_inline unsigned int
mbc_packet_l4_len(struct sk_buff *skb, u8 proto, unsigned int off)
{
	unsigned int len;

	if (unlikely(proto == IPPROTO_UDP))
		return mbc_packet_linear(skb, off + sizeof(struct udphdr)) ?
			       sizeof(struct udphdr) : 0;
	if (!mbc_packet_linear(skb, off + sizeof(struct tcphdr)))
		return 0;
	len = ((const struct tcphdr *)(skb->data + off))->doff * 4;
	if (unlikely(len < sizeof(struct tcphdr)) ||
	    !mbc_packet_linear(skb, off + len))
		return 0;
	return len;
}

/* All of @p but the addresses. */
static __always_inline void
mbc_packet_fill(struct mbc_packet *p, struct sk_buff *skb, u8 family, u8 proto,
		unsigned int off, unsigned int len)
{
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + off);

	p->skb = skb;
	p->tuple.sport = th->source;
	p->tuple.dport = th->dest;
	p->tuple.proto = proto;
	p->tuple.family = family;
	memset(p->tuple.pad, 0, sizeof(p->tuple.pad));
	p->flags = likely(proto == IPPROTO_TCP) ? tcp_flag_byte(th) : 0;
	p->forwarded = false;
	p->l4_off = off;
	p->data_off = off + len;
	/* A big TCP packet has length 0 in its header; the kernel trimmed all
	 * others to it.
	 */
	p->wire_len = skb->len;
}

/**
 * mbc_packet_parse4() - is this a whole TCP or UDP packet, what does it say?
 * @p: filled in when the function is true
 * @skb: data at its IPv4 header, which the kernel has checked
 *
 * A fragment is counted, everything else that is not for us is not.
 */
static __always_inline bool mbc_packet_parse4(struct mbc_packet *p,
					      struct mbc_net *mn,
					      struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const unsigned int off = iph->ihl * 4;
	const u8 proto = iph->protocol;
	unsigned int len;

	if (unlikely(!mbc_packet_may_be(proto)))
		return false;
	if (unlikely(ip_is_fragment(iph))) {
		mbc_count(mn, MBC_REASON_FRAGMENT);
		return false;
	}
	len = mbc_packet_l4_len(skb, proto, off);
	if (unlikely(!len))
		return false;
	mbc_packet_fill(p, skb, AF_INET, proto, off, len);
	iph = ip_hdr(skb);
	p->tuple.saddr = (union mbc_addr){ .ip6 = { iph->saddr } };
	p->tuple.daddr = (union mbc_addr){ .ip6 = { iph->daddr } };
	return true;
}

/* Where the TCP or UDP header stands behind others, 0 if there is none. */
unsigned int mbc_packet_find6(struct mbc_net *mn, const struct sk_buff *skb,
			      u8 *proto);

/** mbc_packet_parse6() - the same for IPv6 */
static __always_inline bool mbc_packet_parse6(struct mbc_packet *p,
					      struct mbc_net *mn,
					      struct sk_buff *skb)
{
	unsigned int off = sizeof(struct ipv6hdr);
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	unsigned int len;
	u8 proto = ip6h->nexthdr;

	if (unlikely(!mbc_packet_may_be(proto))) {
		u8 behind = proto;

		off = mbc_packet_find6(mn, skb, &behind);
		proto = behind;
		if (!off)
			return false;
	}
	len = mbc_packet_l4_len(skb, proto, off);
	if (unlikely(!len))
		return false;
	mbc_packet_fill(p, skb, AF_INET6, proto, off, len);
	ip6h = ipv6_hdr(skb);
	memcpy(&p->tuple.saddr, &ip6h->saddr, sizeof(p->tuple.saddr));
	memcpy(&p->tuple.daddr, &ip6h->daddr, sizeof(p->tuple.daddr));
	return true;
}

static __always_inline bool mbc_packet_parse(struct mbc_packet *p,
					     struct mbc_net *mn,
					     struct sk_buff *skb, u8 family)
{
	return family == AF_INET ? mbc_packet_parse4(p, mn, skb) :
				   mbc_packet_parse6(p, mn, skb);
}

/**
 * mbc_packet_plain() - its headers alone, without IPv6 extension headers
 *
 * Return: a new skb, which the caller frees; NULL when memory is short.
 */
struct sk_buff *mbc_packet_plain(const struct mbc_packet *p);

/**
 * mbc_packet_writable() - make headers, or the whole packet, ours to change
 * @len: bytes from skb->data
 *
 * Return: false when memory is short.
 */
static inline bool mbc_packet_writable(struct sk_buff *skb, unsigned int len)
{
	if (likely(!skb_cloned(skb) && len <= skb_headlen(skb)))
		return true;
	return !skb_ensure_writable(skb, len);
}

/**
 * mbc_packet_add_setup() - put a set-up header in front of a SYN's payload
 * @p: parsed, opens a connection
 * @hdr: the header, coded
 * @len: its length, a multiple of 4
 *
 * Lengths and checksums follow; Fast Open data stays behind the header.
 * Return: false when memory is short; the packet is as it was.
 */
bool mbc_packet_add_setup(struct mbc_packet *p, const u8 *hdr,
			  unsigned int len);

/**
 * mbc_packet_strip_setup() - take the first @len bytes of payload away
 * @len: a multiple of 4, at most the payload's length
 *
 * A checksum that was wrong before stays wrong. Return: as above.
 */
bool mbc_packet_strip_setup(struct mbc_packet *p, unsigned int len);

/** mbc_packet_clamp_mss() - lower the MSS option; the headers are writable */
void mbc_packet_clamp_mss(struct mbc_packet *p, u16 mss);

/** mbc_packet_stamp() - see mbc_option_stamp(); UDP has none */
bool mbc_packet_stamp(const struct mbc_packet *p, u32 *stamp);

/**
 * mbc_packet_raise_stamp() - make its TSval, if there is one, no older than @stamp
 *
 * Return: false when memory is short; the packet is as it was.
 */
bool mbc_packet_raise_stamp(struct mbc_packet *p, u32 stamp);

#endif /* MBC_PACKET_H */
