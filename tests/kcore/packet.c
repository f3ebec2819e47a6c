// SPDX-License-Identifier: GPL-2.0-only
/* Packets with checksums summed in full; see packet.h. */
#include "packet.h"

#include <linux/in.h>
#include <linux/string.h>
#include <asm/byteorder.h>

#define IP_NOP 1

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

struct iphdr *packet_ip(struct packet *p)
{
	return (struct iphdr *)p->bytes;
}

struct tcphdr *packet_tcp(struct packet *p)
{
	return (struct tcphdr *)(p->bytes + packet_ip(p)->ihl * 4);
}

void packet_make(struct packet *p, const struct mbc_tuple *t,
		 unsigned int ip_options, const u8 *payload, unsigned int len)
{
	struct iphdr *iph = packet_ip(p);
	struct tcphdr *th;

	memset(p, 0, sizeof(*p));
	iph->version = 4;
	iph->ihl = 5 + ip_options;
	iph->ttl = 64;
	iph->protocol = t->proto;
	iph->saddr = t->saddr;
	iph->daddr = t->daddr;
	memset(iph + 1, IP_NOP, ip_options * 4);

	th = packet_tcp(p);
	th->source = t->sport;
	th->dest = t->dport;
	th->doff = 5;
	th->ack = 1;
	th->window = cpu_to_be16(1024);
	memcpy(th + 1, payload, len);

	p->len = (u8 *)(th + 1) + len - p->bytes;
	iph->tot_len = cpu_to_be16(p->len);
}

static u32 pseudo_sum(struct packet *p, unsigned int tcp_len)
{
	const struct iphdr *iph = packet_ip(p);
	u8 pseudo[12] = { 0 };

	memcpy(pseudo, &iph->saddr, 4);
	memcpy(pseudo + 4, &iph->daddr, 4);
	pseudo[9] = iph->protocol;
	pseudo[10] = tcp_len >> 8;
	pseudo[11] = tcp_len;
	return sum(0, pseudo, sizeof(pseudo));
}

void packet_seal(struct packet *p)
{
	struct iphdr *iph = packet_ip(p);
	struct tcphdr *th = packet_tcp(p);
	const unsigned int tcp_len = p->len - iph->ihl * 4;
	u32 pseudo = pseudo_sum(p, tcp_len);

	iph->check = 0;
	iph->check = cpu_to_be16(~sum(0, p->bytes, iph->ihl * 4));
	th->check = 0;
	th->check = p->partial ? cpu_to_be16(pseudo) :
		    cpu_to_be16(~sum(pseudo, (u8 *)th, tcp_len));
}

struct mbc_tuple packet_tuple(struct packet *p)
{
	return (struct mbc_tuple){
		.saddr = packet_ip(p)->saddr, .daddr = packet_ip(p)->daddr,
		.sport = packet_tcp(p)->source, .dport = packet_tcp(p)->dest,
		.proto = packet_ip(p)->protocol,
	};
}
