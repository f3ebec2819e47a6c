// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pure files, compiled by this kernel's compiler for this machine: known
 * answers that tests/kcore checks in user space as well.
 */
#include "selftest.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>
#include "path.h"
#include "setup.h"
#include "tcp.h"
#include "xlate.h"

#define CHECK(what)							\
	do {								\
		if (!(what)) {						\
			pr_err("selftest: %s: %s\n", __func__, #what);	\
			return -EINVAL;					\
		}							\
	} while (0)

static const struct mbc_tuple super4 __initconst = {
	.saddr.ip = cpu_to_be32(0x0a000001),
	.daddr.ip = cpu_to_be32(0x0a000004),
	.sport = cpu_to_be16(40000), .dport = cpu_to_be16(80),
	.proto = IPPROTO_TCP, .family = AF_INET,
};

/* fd00::1 and fd00::4 */
static const struct mbc_tuple super6 __initconst = {
	.saddr.ip6 = { cpu_to_be32(0xfd000000), 0, 0, cpu_to_be32(1) },
	.daddr.ip6 = { cpu_to_be32(0xfd000000), 0, 0, cpu_to_be32(4) },
	.sport = cpu_to_be16(40000), .dport = cpu_to_be16(80),
	.proto = IPPROTO_TCP, .family = AF_INET6,
};

static int __init check_setup(const struct mbc_tuple *super)
{
	u8 family = super->family;
	struct mbc_key key = { .id = 7, .secret = { { 1, 2 } } };
	struct mbc_setup in = { .id = "0123456789abcde", .time = 1000,
				.super = *super, .n_hops = 2 };
	struct mbc_setup out;
	u8 buf[MBC_SETUP_MAX];
	unsigned int len, i;

	in.hops[0] = super->saddr;
	in.hops[1] = super->daddr;
	len = mbc_setup_encode(&in, &key, buf);
	CHECK(len == mbc_setup_len(family, 2));
	CHECK(mbc_setup_probe(buf, len));
	CHECK(mbc_setup_decode(&out, family, buf, len, &key, 1, 1030, 30) ==
	      MBC_REASON_NONE);
	CHECK(!memcmp(out.id, in.id, sizeof(in.id)));
	CHECK(mbc_tuple_equal(&out.super, super));
	CHECK(out.n_hops == 2 && mbc_addr_equal(&out.hops[1], &super->daddr));
	CHECK(mbc_setup_decode(&out, family, buf, len, &key, 1, 1031, 30) ==
	      MBC_REASON_HDR_STALE);
	CHECK(mbc_setup_decode(&out, family, buf, len, &key, 0, 1000, 30) ==
	      MBC_REASON_HDR_KEY);
	/* Not one byte may change unnoticed. */
	for (i = 0; i < len; i++) {
		buf[i] ^= 0x10;
		CHECK(!mbc_setup_probe(buf, len) ||
		      mbc_setup_decode(&out, family, buf, len, &key, 1, 1000, 30));
		buf[i] ^= 0x10;
	}
	return 0;
}

/* A packet rewritten there and back is the packet it was, and in between its
 * checksums are those that the kernel itself computes.
 */
static int __init check_xlate4(void)
{
	const struct mbc_tuple super = super4;
	struct mbc_tuple wire = {
		.saddr.ip = cpu_to_be32(0xc0a80001),
		.daddr.ip = cpu_to_be32(0x0a000002),
		.sport = cpu_to_be16(50001), .dport = cpu_to_be16(1024),
		.proto = IPPROTO_TCP, .family = AF_INET,
	};
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} __packed __aligned(4) p = {}, before;
	const struct mbc_tuple wire_back = mbc_tuple_reverse(&wire);
	const struct mbc_tuple super_back = mbc_tuple_reverse(&super);
	struct mbc_xlate there = { .back = &wire_back };
	struct mbc_xlate back = { .back = &super_back };

	p.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64,
			       .protocol = IPPROTO_TCP,
			       .tot_len = cpu_to_be16(sizeof(p)),
			       .saddr = super.saddr.ip, .daddr = super.daddr.ip };
	p.ip.check = ip_fast_csum(&p.ip, 5);
	p.tcp.source = super.sport;
	p.tcp.dest = super.dport;
	p.tcp.doff = 5;
	p.tcp.check = tcp_v4_check(sizeof(p.tcp), p.ip.saddr, p.ip.daddr,
				   csum_partial(&p.tcp, sizeof(p.tcp), 0));
	before = p;

	mbc_diff_init(&there.diff, &super, &wire_back);
	mbc_diff_init(&back.diff, &wire, &super_back);
	mbc_xlate_apply4(there, &p.ip, &p.tcp, false);
	CHECK(p.ip.saddr == wire.saddr.ip && p.tcp.dest == wire.dport);
	CHECK(!ip_fast_csum(&p.ip, 5));
	CHECK(!tcp_v4_check(sizeof(p.tcp), p.ip.saddr, p.ip.daddr,
			    csum_partial(&p.tcp, sizeof(p.tcp), 0)));
	mbc_xlate_apply4(back, &p.ip, &p.tcp, false);
	CHECK(!memcmp(&p, &before, sizeof(p)));
	return 0;
}

static int __init check_xlate6(void)
{
	const struct mbc_tuple super = super6;
	struct mbc_tuple wire = {
		.saddr.ip6 = { cpu_to_be32(0xfd001111), 0, 0, cpu_to_be32(2) },
		.daddr.ip6 = { cpu_to_be32(0xfd002222), 0, 0, cpu_to_be32(3) },
		.sport = cpu_to_be16(50001), .dport = cpu_to_be16(1024),
		.proto = IPPROTO_TCP, .family = AF_INET6,
	};
	struct {
		struct ipv6hdr ip6;
		struct tcphdr tcp;
	} __packed __aligned(4) p = {}, before;
	const struct mbc_tuple wire_back = mbc_tuple_reverse(&wire);
	const struct mbc_tuple super_back = mbc_tuple_reverse(&super);
	struct mbc_xlate there = { .back = &wire_back };
	struct mbc_xlate back = { .back = &super_back };

	p.ip6 = (struct ipv6hdr){ .version = 6, .nexthdr = IPPROTO_TCP,
				  .payload_len = cpu_to_be16(sizeof(p.tcp)) };
	memcpy(&p.ip6.saddr, &super.saddr, sizeof(p.ip6.saddr));
	memcpy(&p.ip6.daddr, &super.daddr, sizeof(p.ip6.daddr));
	p.tcp.source = super.sport;
	p.tcp.dest = super.dport;
	p.tcp.doff = 5;
	p.tcp.check = tcp_v6_check(sizeof(p.tcp), &p.ip6.saddr, &p.ip6.daddr,
				   csum_partial(&p.tcp, sizeof(p.tcp), 0));
	before = p;

	mbc_diff_init(&there.diff, &super, &wire_back);
	mbc_diff_init(&back.diff, &wire, &super_back);
	mbc_xlate_apply6(there, &p.ip6, &p.tcp, false);
	CHECK(!memcmp(&p.ip6.saddr, &wire.saddr, sizeof(wire.saddr)));
	CHECK(!tcp_v6_check(sizeof(p.tcp), &p.ip6.saddr, &p.ip6.daddr,
			    csum_partial(&p.tcp, sizeof(p.tcp), 0)));
	mbc_xlate_apply6(back, &p.ip6, &p.tcp, false);
	CHECK(!memcmp(&p, &before, sizeof(p)));
	return 0;
}

static int __init check_tcp(void)
{
	struct mbc_tcp t = { .state = MBC_TCP_SYN };
	struct mbc_segment synack = { .seq = 9, .ack = 1,
				      .flags = MBC_TCP_SYN_FLAG | MBC_TCP_ACK };
	struct mbc_segment fin = { .seq = 100, .ack = 10,
				   .flags = MBC_TCP_FIN | MBC_TCP_ACK };
	struct mbc_segment finack = { .seq = 10, .ack = 101,
				      .flags = MBC_TCP_FIN | MBC_TCP_ACK };
	struct mbc_segment last = { .seq = 101, .ack = 11,
				    .flags = MBC_TCP_ACK };

	mbc_tcp_step(&t, MBC_LEFT, &synack);
	CHECK(t.state == MBC_TCP_ESTABLISHED);
	mbc_tcp_step(&t, MBC_RIGHT, &fin);
	CHECK(t.state == MBC_TCP_CLOSING);
	mbc_tcp_step(&t, MBC_LEFT, &finack);
	CHECK(t.state == MBC_TCP_CLOSING);
	mbc_tcp_step(&t, MBC_RIGHT, &last);
	CHECK(t.state == MBC_TCP_CLOSED);
	return 0;
}

static int __init check_path(const struct mbc_tuple *super)
{
	enum mbc_addr_slot slot = mbc_addr_slot(super->family);
	struct mbc_instance one = { .has = BIT(!slot), .weight = 1 };
	struct mbc_nf_type type = { .n_instances = 1, .instances = &one };
	const struct mbc_nf_type *types[2] = { &type, &type };
	siphash_key_t seed = { { 3, 4 } };
	union mbc_addr hops[MBC_MAX_HOPS];
	unsigned int n;

	CHECK(mbc_path_build(hops, &n, types, 2, super, true, &seed, 0) ==
	      MBC_REASON_NO_INSTANCE);
	type.total_weight[slot] = 1;
	one.has = BIT(slot);
	one.addr[slot].ip6[0] = cpu_to_be32(0x0a000002);
	CHECK(!mbc_path_build(hops, &n, types, 2, super, true, &seed, 0));
	CHECK(n == 2 && mbc_addr_equal(&hops[0], &one.addr[slot]) &&
	      mbc_addr_equal(&hops[1], &super->daddr));
	one.addr[slot] = super->saddr;
	CHECK(mbc_path_build(hops, &n, types, 2, super, true, &seed, 0) ==
	      MBC_REASON_CHAIN_LOOP);
	return 0;
}

int __init mbc_selftest(void)
{
	int err;

	err = check_tcp();
	if (!err)
		err = check_setup(&super4);
	if (!err)
		err = check_setup(&super6);
	if (!err)
		err = check_xlate4();
	if (!err)
		err = check_xlate6();
	if (!err)
		err = check_path(&super4);
	if (!err)
		err = check_path(&super6);
	if (!err)
		pr_info("selftest: passed\n");
	return err;
}
