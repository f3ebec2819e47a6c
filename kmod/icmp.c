// SPDX-License-Identifier: GPL-2.0-only
/*
 * Translation of ICMP errors, both headers of them. Few come, so they are
 * handled plainly: made linear, checked, changed, summed anew. Softirq or
 * process context, under RCU.
 */
#include "icmp.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include "mtu.h"
#include "quote.h"
#include "rewrite.h"
#include "stats.h"

/* The quote stands behind it. */
#define HEAD_LEN sizeof(struct icmphdr)
static_assert(sizeof(struct icmp6hdr) == HEAD_LEN);
static_assert(offsetof(struct icmp6hdr, icmp6_cksum) ==
	      offsetof(struct icmphdr, checksum));

/**
 * struct error - an ICMP error about a TCP or UDP packet
 * @skb: data at the outer IP header
 * @family: AF_INET or AF_INET6
 * @off: offset of the ICMP header from skb->data
 * @from: who reports
 * @quote: what about
 */
struct error {
	struct sk_buff *skb;
	u8 family;
	unsigned int off;
	union mbc_addr from;
	struct mbc_quote quote;
};

static bool is_error4(u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

static bool is_error6(u8 type)
{
	return type == ICMPV6_DEST_UNREACH || type == ICMPV6_PKT_TOOBIG ||
	       type == ICMPV6_TIME_EXCEED || type == ICMPV6_PARAMPROB;
}

/* Where the ICMP header of an error begins, 0 for another packet. */
static unsigned int find_error4(const struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const unsigned int off = iph->ihl * 4;
	const u8 *type;
	u8 buf;

	if (iph->protocol != IPPROTO_ICMP || ip_is_fragment(iph))
		return 0;
	type = skb_header_pointer(skb, off, sizeof(buf), &buf);
	return type && is_error4(*type) ? off : 0;
}

static unsigned int find_error6(const struct sk_buff *skb)
{
	u8 proto = ipv6_hdr(skb)->nexthdr;
	int off = sizeof(struct ipv6hdr);
	const u8 *type;
	__be16 frag = 0;
	u8 buf;

	if (proto != IPPROTO_ICMPV6) {
		if (!ipv6_ext_hdr(proto))
			return 0;
		off = ipv6_skip_exthdr(skb, off, &proto, &frag);
	}
	if (off < 0 || proto != IPPROTO_ICMPV6 || frag)
		return 0;
	type = skb_header_pointer(skb, off, sizeof(buf), &buf);
	return type && is_error6(*type) ? off : 0;
}

static void read_addrs(const struct error *err, union mbc_addr *saddr,
		       union mbc_addr *daddr)
{
	memset(saddr, 0, sizeof(*saddr));
	memset(daddr, 0, sizeof(*daddr));
	if (err->family == AF_INET) {
		saddr->ip = ip_hdr(err->skb)->saddr;
		daddr->ip = ip_hdr(err->skb)->daddr;
	} else {
		memcpy(saddr, &ipv6_hdr(err->skb)->saddr, sizeof(*saddr));
		memcpy(daddr, &ipv6_hdr(err->skb)->daddr, sizeof(*daddr));
	}
}

static bool parse(struct error *err, struct sk_buff *skb, u8 family)
{
	union mbc_addr to;
	unsigned int off, len;

	off = family == AF_INET ? find_error4(skb) : find_error6(skb);
	if (likely(!off))
		return false;
	off += HEAD_LEN;
	len = min_t(unsigned int, skb->len, off + MBC_QUOTE_PEEK);
	if (len <= off || !pskb_may_pull(skb, len) ||
	    !mbc_quote_parse(&err->quote, family, skb->data + off, len - off))
		return false;
	err->skb = skb;
	err->family = family;
	err->off = off - HEAD_LEN;
	read_addrs(err, &err->from, &to);
	/* An error is for the sender of what it quotes. */
	return mbc_addr_equal(&to, &err->quote.tuple.saddr);
}

/* The entry of the packets that answer those that the error is about. */
static struct mbc_entry *find(struct mbc_net *mn, enum mbc_hook hook,
			      const struct error *err)
{
	const struct mbc_tuple back = mbc_tuple_reverse(&err->quote.tuple);

	return mbc_table_find(mn, hook, &back);
}

/* The sum over all that the ICMP checksum covers: 0 if that is right. */
static __sum16 checksum(const struct error *err)
{
	const struct sk_buff *skb = err->skb;
	unsigned int len = skb->len - err->off;
	__wsum sum = csum_partial(skb->data + err->off, len, 0);

	if (err->family == AF_INET)
		return csum_fold(sum);
	return csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr,
			       len, IPPROTO_ICMPV6, sum);
}

/* Makes the whole error ours to change. One that was damaged on its way must
 * not get a checksum that is right.
 */
static enum mbc_reason prepare(struct error *err)
{
	struct sk_buff *skb = err->skb;

	if (skb_ensure_writable(skb, skb->len))
		return MBC_REASON_NOT_WRITABLE;
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return MBC_REASON_NOT_WRITABLE;
	return checksum(err) ? MBC_REASON_ICMP_BAD : MBC_REASON_NONE;
}

static enum mbc_verdict give_up(struct mbc_net *mn, enum mbc_reason reason)
{
	mbc_count(mn, reason);
	return reason == MBC_REASON_ICMP_BAD ? MBC_ACCEPT : MBC_DROP;
}

static void write_addrs(struct error *err, const union mbc_addr *saddr,
			const union mbc_addr *daddr)
{
	struct sk_buff *skb = err->skb;

	if (err->family == AF_INET) {
		ip_hdr(skb)->saddr = saddr->ip;
		ip_hdr(skb)->daddr = daddr->ip;
		ip_send_check(ip_hdr(skb));
	} else {
		memcpy(&ipv6_hdr(skb)->saddr, saddr, sizeof(*saddr));
		memcpy(&ipv6_hdr(skb)->daddr, daddr, sizeof(*daddr));
	}
}

/*
 * @e turns the packets that go one way into those of its translation. The
 * error is about one that went the other way, so what it quotes becomes the
 * reverse of that translation, whose sender it is then for.
 */
static void translate(struct error *err, const struct mbc_entry *e,
		      const union mbc_addr *from)
{
	const struct mbc_tuple *to = &mbc_entry_back(e)->tuple;
	u8 *head = err->skb->data + err->off;
	__sum16 *check = (__sum16 *)(head + offsetof(struct icmphdr, checksum));

	mbc_quote_translate(&err->quote, head + HEAD_LEN, to);
	write_addrs(err, from, &to->saddr);
	*check = 0;
	*check = checksum(err);
	err->skb->ip_summed = CHECKSUM_NONE;
}

static enum mbc_verdict restore(struct mbc_net *mn, struct error *err,
				struct mbc_entry *e)
{
	enum mbc_reason reason = prepare(err);
	union mbc_addr from = err->from;

	if (reason)
		return give_up(mn, reason);
	/* Nobody forwards what comes from a link-local address: we report. */
	if (!mbc_addr_valid(&from, err->family))
		from = err->quote.tuple.saddr;
	/* What the neighbour itself reports lies beyond it: it translated that
	 * as we do. Our way to it is the business of routers in between.
	 */
	if (!mbc_addr_equal(&err->from, &e->tuple.saddr))
		mbc_mtu_learn(mn->net, err->skb, err->family, err->off);
	translate(err, e, &from);
	mbc_count(mn, MBC_REASON_ICMP_IN);
	return MBC_ACCEPT;
}

static enum mbc_verdict send(struct mbc_net *mn, struct error *err,
			     struct mbc_entry *e)
{
	enum mbc_reason reason = prepare(err);
	struct dst_entry *dst;

	if (reason)
		return give_up(mn, reason);
	dst = mbc_rewrite_route(mn, err->skb, e);
	if (!dst)
		return give_up(mn, MBC_REASON_ROUTE_GONE);
	translate(err, e, &mbc_entry_back(e)->tuple.daddr);
	mbc_rewrite_send_by(err->skb, dst);
	mbc_count(mn, MBC_REASON_ICMP_OUT);
	return MBC_ACCEPT;
}

enum mbc_verdict mbc_icmp_inbound(struct mbc_net *mn, struct sk_buff *skb,
				  u8 family)
{
	struct error err;
	struct mbc_entry *e;

	if (likely(!parse(&err, skb, family)))
		return MBC_ACCEPT;
	e = find(mn, MBC_IN, &err);
	return e ? restore(mn, &err, e) : MBC_ACCEPT;
}

enum mbc_verdict mbc_icmp_outbound(struct mbc_net *mn, struct sk_buff *skb,
				   u8 family, const struct net_device *out)
{
	enum mbc_verdict verdict;
	struct error err;
	struct mbc_entry *e;

	if (likely(!parse(&err, skb, family)))
		return MBC_ACCEPT;
	/* Our own stack about a packet that it could not deliver after we
	 * rewrote it: an error from ourselves to ourselves. Coming in it would
	 * be too late, as nobody routes what loops back.
	 */
	if (out->flags & IFF_LOOPBACK) {
		e = find(mn, MBC_IN, &err);
		verdict = e ? restore(mn, &err, e) : MBC_ACCEPT;
		if (verdict != MBC_ACCEPT)
			return verdict;
	}
	e = find(mn, MBC_OUT, &err);
	return e ? send(mn, &err, e) : MBC_ACCEPT;
}
