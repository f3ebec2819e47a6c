// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pure files, compiled by this kernel's compiler for this machine: known
 * answers that tests/kcore checks in user space as well.
 */
#include "selftest.h"

#include <linux/ip.h>
#include <linux/kernel.h>
#include <linux/tcp.h>
#include <net/checksum.h>
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

static const struct mbc_tuple super __initconst = {
	.saddr = cpu_to_be32(0x0a000001), .daddr = cpu_to_be32(0x0a000004),
	.sport = cpu_to_be16(40000), .dport = cpu_to_be16(80),
	.proto = IPPROTO_TCP,
};

static int __init check_setup(void)
{
	struct mbc_key key = { .id = 7, .secret = { { 1, 2 } } };
	struct mbc_setup in = { .id = "0123456789abcde", .time = 1000,
				.super = super, .n_hops = 2 };
	struct mbc_setup out;
	u8 buf[MBC_SETUP_MAX];
	unsigned int len, i;

	in.hops[0] = cpu_to_be32(0x0a000002);
	in.hops[1] = super.daddr;
	len = mbc_setup_encode(&in, &key, buf);
	CHECK(len == mbc_setup_len(2));
	CHECK(mbc_setup_probe(buf, len));
	CHECK(mbc_setup_decode(&out, buf, len, &key, 1, 1030, 30) ==
	      MBC_REASON_NONE);
	CHECK(!memcmp(out.id, in.id, sizeof(in.id)));
	CHECK(mbc_tuple_equal(&out.super, &super));
	CHECK(out.n_hops == 2 && out.hops[1] == super.daddr);
	CHECK(mbc_setup_decode(&out, buf, len, &key, 1, 1031, 30) ==
	      MBC_REASON_HDR_STALE);
	CHECK(mbc_setup_decode(&out, buf, len, &key, 0, 1000, 30) ==
	      MBC_REASON_HDR_KEY);
	/* Not one byte may change unnoticed. */
	for (i = 0; i < len; i++) {
		buf[i] ^= 0x10;
		CHECK(!mbc_setup_probe(buf, len) ||
		      mbc_setup_decode(&out, buf, len, &key, 1, 1000, 30));
		buf[i] ^= 0x10;
	}
	return 0;
}

/* A packet rewritten there and back is the packet it was, and in between its
 * checksums are those that the kernel itself computes.
 */
static int __init check_xlate(void)
{
	struct mbc_tuple wire = {
		.saddr = cpu_to_be32(0xc0a80001), .daddr = cpu_to_be32(0x0a000002),
		.sport = cpu_to_be16(50001), .dport = cpu_to_be16(1024),
		.proto = IPPROTO_TCP,
	};
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} __packed __aligned(4) p = {}, before;
	struct mbc_xlate there, back;

	p.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64,
			       .protocol = IPPROTO_TCP,
			       .tot_len = cpu_to_be16(sizeof(p)),
			       .saddr = super.saddr, .daddr = super.daddr };
	p.ip.check = ip_fast_csum(&p.ip, 5);
	p.tcp.source = super.sport;
	p.tcp.dest = super.dport;
	p.tcp.doff = 5;
	p.tcp.check = tcp_v4_check(sizeof(p.tcp), super.saddr, super.daddr,
				   csum_partial(&p.tcp, sizeof(p.tcp), 0));
	before = p;

	mbc_xlate_init(&there, &super, &wire);
	mbc_xlate_init(&back, &wire, &super);
	mbc_xlate_apply(&there, &p.ip, &p.tcp, false);
	CHECK(p.ip.saddr == wire.saddr && p.tcp.dest == wire.dport);
	CHECK(!ip_fast_csum(&p.ip, 5));
	CHECK(!tcp_v4_check(sizeof(p.tcp), wire.saddr, wire.daddr,
			    csum_partial(&p.tcp, sizeof(p.tcp), 0)));
	mbc_xlate_apply(&back, &p.ip, &p.tcp, false);
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

static int __init check_path(void)
{
	struct mbc_instance one = { .addr = cpu_to_be32(0x0a000002), .weight = 1 };
	struct mbc_nf_type type = { .total_weight = 1, .n_instances = 1,
				    .instances = &one };
	const struct mbc_nf_type *types[2] = { &type, &type };
	siphash_key_t seed = { { 3, 4 } };
	__be32 hops[MBC_MAX_HOPS];
	unsigned int n;

	CHECK(!mbc_path_build(hops, &n, types, 2, &super, &seed));
	CHECK(n == 2 && hops[0] == one.addr && hops[1] == super.daddr);
	one.addr = super.saddr;
	CHECK(mbc_path_build(hops, &n, types, 2, &super, &seed) ==
	      MBC_REASON_CHAIN_LOOP);
	return 0;
}

int __init mbc_selftest(void)
{
	int err;

	err = check_setup();
	if (!err)
		err = check_xlate();
	if (!err)
		err = check_tcp();
	if (!err)
		err = check_path();
	if (!err)
		pr_info("selftest: passed\n");
	return err;
}
