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
#include <net/ip.h>
#include <net/ipv6.h>
#include "net.h"
#include "setup.h"
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
 * @seg: what the TCP header says; UDP: no flag, no number
 * @l4_off: offset of the TCP or UDP header from skb->data
 * @data_off: offset of its payload from skb->data
 * @wire_len: IP length on the wire, a set-up header of this hop included
 * @forwarded: it came in by a device and goes out in the same RCU read side
 *
 * Header pointers are not kept: they move when the skb is made writable.
 */
struct mbc_packet {
	struct sk_buff *skb;
	struct mbc_tuple tuple;
	struct mbc_segment seg;
	unsigned int l4_off;
	unsigned int data_off;
	unsigned int wire_len;
	bool forwarded;
};

static inline struct tcphdr *mbc_packet_tcp(const struct mbc_packet *p)
{
	return (struct tcphdr *)(p->skb->data + p->l4_off);
}

/** mbc_packet_opens() - SYN without ACK: the first packet of a TCP connection */
static inline bool mbc_packet_opens(const struct mbc_packet *p)
{
	return (p->seg.flags & (MBC_TCP_SYN_FLAG | MBC_TCP_ACK |
				MBC_TCP_RST | MBC_TCP_FIN)) == MBC_TCP_SYN_FLAG;
}

/** mbc_packet_may_open() - can this be the first packet of a session? */
static inline bool mbc_packet_may_open(const struct mbc_packet *p)
{
	return p->tuple.proto == IPPROTO_UDP || mbc_packet_opens(p);
}

/* A bit of the IP layers' own control blocks that no kernel we support uses. */
#define MBC_RESTORED BIT(15)

static inline u16 *mbc_packet_flags(struct sk_buff *skb, u8 family)
{
	return family == AF_INET ? &IPCB(skb)->flags : &IP6CB(skb)->flags;
}

/** mbc_packet_mark_restored() - what it is now it became in mbc_inbound() */
static inline void mbc_packet_mark_restored(struct sk_buff *skb, u8 family)
{
	*mbc_packet_flags(skb, family) |= MBC_RESTORED;
}

static inline void mbc_packet_unmark_restored(struct sk_buff *skb, u8 family)
{
	*mbc_packet_flags(skb, family) &= ~MBC_RESTORED;
}

static inline bool mbc_packet_is_restored(struct sk_buff *skb, u8 family)
{
	return *mbc_packet_flags(skb, family) & MBC_RESTORED;
}

/**
 * mbc_packet_parse() - is this a whole TCP or UDP packet, what does it say?
 * @p: filled in when the function is true
 * @skb: data at its IP header, which the kernel has checked
 * @family: AF_INET or AF_INET6
 *
 * A fragment is counted, everything else that is not for us is not.
 */
bool mbc_packet_parse(struct mbc_packet *p, struct mbc_net *mn,
		      struct sk_buff *skb, u8 family);

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
static inline bool mbc_packet_writable(struct mbc_packet *p, unsigned int len)
{
	return !skb_ensure_writable(p->skb, len);
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

#endif /* MBC_PACKET_H */
