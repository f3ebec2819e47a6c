// SPDX-License-Identifier: GPL-2.0-only
/* Packets with checksums summed in full; see packet.h. */
#include "packet.h"

#include <linux/in.h>
#include <linux/string.h>
#include <linux/udp.h>
#include <asm/byteorder.h>

#define IP_NOP 1	/* of IPv4 options; IPv6 options have zeros for it */

/* RFC 1071, in network byte order, one byte after the other. */
static u32 sum(u32 acc, const u8 *data, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		acc += i & 1 ? data[i] : data[i] << 8;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return acc;
}

static struct iphdr *ip4(struct packet *p)
{
	return (struct iphdr *)p->bytes;
}

static struct ipv6hdr *ip6(struct packet *p)
{
	return (struct ipv6hdr *)p->bytes;
}

struct tcphdr *packet_tcp(struct packet *p)
{
	return (struct tcphdr *)(p->bytes + p->l4_at);
}

static void make_ip4(struct packet *p, const struct mbc_tuple *t,
		     unsigned int options)
{
	struct iphdr *iph = ip4(p);

	p->l4_at = sizeof(*iph) + options * 4;
	iph->version = 4;
	iph->ihl = p->l4_at / 4;
	iph->ttl = 64;
	iph->protocol = t->proto;
	iph->saddr = t->saddr.ip;
	iph->daddr = t->daddr.ip;
	memset(iph + 1, IP_NOP, options * 4);
}

static void make_ip6(struct packet *p, const struct mbc_tuple *t,
		     unsigned int options)
{
	struct ipv6hdr *ip6h = ip6(p);
	u8 *extension = (u8 *)(ip6h + 1);

	p->l4_at = sizeof(*ip6h) + options * 8;
	ip6h->version = 6;
	ip6h->hop_limit = 64;
	ip6h->nexthdr = t->proto;
	memcpy(&ip6h->saddr, &t->saddr, 16);
	memcpy(&ip6h->daddr, &t->daddr, 16);
	if (options) {
		ip6h->nexthdr = IPPROTO_HOPOPTS;
		extension[0] = t->proto;
		extension[1] = options - 1;
	}
}

__sum16 *packet_check(struct packet *p)
{
	struct udphdr *uh = (struct udphdr *)(p->bytes + p->l4_at);

	return p->proto == IPPROTO_UDP ? &uh->check : &packet_tcp(p)->check;
}

/* Both begin with the ports. Return: bytes of the header. */
static unsigned int make_l4(struct packet *p, const struct mbc_tuple *t,
			    unsigned int len)
{
	struct udphdr *uh = (struct udphdr *)(p->bytes + p->l4_at);
	struct tcphdr *th = packet_tcp(p);

	uh->source = t->sport;
	uh->dest = t->dport;
	if (p->proto == IPPROTO_UDP) {
		uh->len = cpu_to_be16(sizeof(*uh) + len);
		return sizeof(*uh);
	}
	th->doff = 5;
	th->ack = 1;
	th->window = cpu_to_be16(1024);
	return sizeof(*th);
}

void packet_make(struct packet *p, const struct mbc_tuple *t,
		 unsigned int options, const u8 *payload, unsigned int len)
{
	unsigned int hlen;

	memset(p, 0, sizeof(*p));
	p->family = t->family;
	p->proto = t->proto;
	if (p->family == AF_INET)
		make_ip4(p, t, options);
	else
		make_ip6(p, t, options);

	hlen = make_l4(p, t, len);
	memcpy(p->bytes + p->l4_at + hlen, payload, len);
	p->len = p->l4_at + hlen + len;
	if (p->family == AF_INET)
		ip4(p)->tot_len = cpu_to_be16(p->len);
	else
		ip6(p)->payload_len = cpu_to_be16(p->len - 40);
}

/* Addresses, length and protocol; zeros between them add nothing. */
static u32 pseudo_sum(struct packet *p, unsigned int l4_len)
{
	const unsigned int n = mbc_addr_len(p->family);
	const struct mbc_tuple t = packet_tuple(p);
	u32 acc = l4_len + t.proto;

	acc = sum(acc, (const u8 *)&t.saddr, n);
	return sum(acc, (const u8 *)&t.daddr, n);
}

void packet_seal(struct packet *p)
{
	const unsigned int l4_len = p->len - p->l4_at;
	const u32 pseudo = pseudo_sum(p, l4_len);
	__sum16 *check = packet_check(p);

	if (p->family == AF_INET) {
		ip4(p)->check = 0;
		ip4(p)->check = cpu_to_be16(~sum(0, p->bytes, p->l4_at));
	}
	*check = 0;
	*check = p->partial ? cpu_to_be16(pseudo) :
		 cpu_to_be16(~sum(pseudo, p->bytes + p->l4_at, l4_len));
	if (!*check && p->proto == IPPROTO_UDP && !p->partial)
		*check = 0xffff;
}

u16 packet_sum(const struct packet *p)
{
	return sum(0, p->bytes, p->len);
}

struct mbc_tuple packet_tuple(struct packet *p)
{
	const struct tcphdr *th = packet_tcp(p);
	struct mbc_tuple t = {
		.sport = th->source, .dport = th->dest,
		.proto = p->proto, .family = p->family,
	};

	if (p->family == AF_INET) {
		t.saddr.ip = ip4(p)->saddr;
		t.daddr.ip = ip4(p)->daddr;
	} else {
		memcpy(&t.saddr, &ip6(p)->saddr, sizeof(t.saddr));
		memcpy(&t.daddr, &ip6(p)->daddr, sizeof(t.daddr));
	}
	return t;
}

void translation_init(struct translation *t, const struct mbc_tuple *from,
		      const struct mbc_tuple *to)
{
	t->back = mbc_tuple_reverse(to);
	t->x.back = &t->back;
	mbc_diff_init(&t->x.diff, from, &t->back);
}

void packet_xlate(struct packet *p, const struct translation *t)
{
	if (p->family == AF_INET)
		mbc_xlate_apply4(t->x, ip4(p), packet_tcp(p), p->partial);
	else
		mbc_xlate_apply6(t->x, ip6(p), packet_tcp(p), p->partial);
}
