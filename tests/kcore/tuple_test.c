// SPDX-License-Identifier: GPL-2.0-only
/* Which tuples may name a session, and what their reverse is. */
#include "make.h"
#include "test.h"

#include <linux/in.h>
#include <linux/string.h>

static const struct {
	const char *name;
	const char *addr;
	bool want;
} addrs[] = {
	{ "zero is no host", "0.0.0.0", false },
	{ "this network is no host", "0.255.255.255", false },
	{ "the first address is a host", "1.0.0.0", true },
	{ "a private address is a host", "10.0.0.1", true },
	{ "the last before loopback is a host", "126.255.255.255", true },
	{ "loopback does not leave its host", "127.0.0.1", false },
	{ "all of loopback does not", "127.255.255.255", false },
	{ "the first after loopback is a host", "128.0.0.0", true },
	{ "link-local is a host", "169.254.1.1", true },
	{ "the last before multicast is a host", "223.255.255.255", true },
	{ "multicast is no host", "224.0.0.0", false },
	{ "the end of multicast is no host", "239.255.255.255", false },
	{ "class E is a host, as in Linux", "240.0.0.1", true },
	{ "the last of class E is a host", "255.255.255.254", true },
	{ "broadcast is no host", "255.255.255.255", false },

	{ "unspecified is no host", "::", false },
	{ "loopback does not leave its host", "::1", false },
	{ "the first after loopback is a host", "::2", true },
	{ "a prefix of 1 is not loopback", "1::", true },
	{ "a second word of 1 is not loopback", "0:0:1::", true },
	{ "a loopback with a third word is a host", "::1:0:0:1", true },
	{ "an IPv4-compatible address is a host", "::10.0.0.1", true },
	{ "the last before IPv4-mapped is a host", "::fffe:ffff:ffff", true },
	{ "IPv4-mapped is the other family", "::ffff:0.0.0.0", false },
	{ "IPv4-mapped is, whatever it maps", "::ffff:10.0.0.1", false },
	{ "the end of IPv4-mapped is", "::ffff:255.255.255.255", false },
	{ "the first after IPv4-mapped is a host", "::1:0:0:0", true },
	{ "a mapped address in a prefix is a host", "1::ffff:a00:1", true },
	{ "one in the second word is a host", "0:0:0:1:0:ffff:a00:1", true },
	{ "the mark of one further left is a host", "::ffff:0:a00:1", true },
	{ "a NAT64 address is a host", "64:ff9b::10.0.0.1", true },
	{ "a global address is a host", "2001:db8::1", true },
	{ "a unique local address is a host", "fd00::1", true },
	{ "the last before link-local is a host",
	  "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
	{ "link-local does not leave its link", "fe80::", false },
	{ "link-local does not, whatever follows",
	  "fe80::250:56ff:fe00:1", false },
	{ "the end of link-local does not",
	  "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false },
	{ "the first after link-local is a host", "fec0::", true },
	{ "the last before multicast is a host",
	  "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
	{ "multicast is no host", "ff00::", false },
	{ "multicast to all nodes is no host", "ff02::1", false },
	{ "the end of multicast is no host",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false },
};

static void test_addrs(void)
{
	struct mbc_tuple t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		const u8 family = family_of(addrs[i].addr);
		const union mbc_addr addr = make_addr(addrs[i].addr);
		const union mbc_addr good = make_host(family, 9);

		test_begin("%s: %s", addrs[i].addr, addrs[i].name);
		EXPECT_EQ(mbc_addr_valid(&addr, family), addrs[i].want);
		t = make_tuple(family, addr, 1, good, 1);
		EXPECT_EQ(mbc_tuple_valid(&t), addrs[i].want);
		t = make_tuple(family, good, 1, addr, 1);
		EXPECT_EQ(mbc_tuple_valid(&t), addrs[i].want);
	}
}

static void test_fields(u8 family)
{
	const union mbc_addr a = make_host(family, 1), b = make_host(family, 2);
	const char *name = family_name(family);
	struct mbc_tuple t;

	test_begin("%s: port 0 names no session", name);
	t = make_tuple(family, a, 0, b, 80);
	EXPECT(!mbc_tuple_valid(&t), "source port 0 is valid");
	t = make_tuple(family, a, 80, b, 0);
	EXPECT(!mbc_tuple_valid(&t), "destination port 0 is valid");

	test_begin("%s: a protocol other than TCP and UDP names no session", name);
	t = make_tuple(family, a, 1, b, 2);
	t.proto = IPPROTO_UDP;
	EXPECT(mbc_tuple_valid(&t), "UDP is not valid");
	t.proto = IPPROTO_SCTP;
	EXPECT(!mbc_tuple_valid(&t), "SCTP is valid");
}

static void test_reverse(u8 family)
{
	const union mbc_addr a = make_host(family, 1), b = make_host(family, 2);
	const struct mbc_tuple t = make_tuple(family, a, 1, b, 2);
	struct mbc_tuple r = mbc_tuple_reverse(&t);

	test_begin("%s: the reverse of the reverse is the tuple, byte for byte",
		   family_name(family));
	EXPECT(!mbc_tuple_equal(&t, &r), "reverse equals tuple");
	EXPECT(mbc_addr_equal(&r.saddr, &b), "not the other address");
	EXPECT_EQ(r.dport, t.sport);
	r = mbc_tuple_reverse(&r);
	EXPECT(mbc_tuple_equal(&t, &r), "not equal");
	EXPECT(!memcmp(&t, &r, sizeof(t)), "bytes differ");
}

/* Equal as tuples is equal as bytes: the tables hash bytes. */
static void test_equal(u8 family)
{
	const struct mbc_tuple t = make_tuple(family, make_host(family, 1), 1,
					      make_host(family, 2), 2);
	const unsigned int n = mbc_addr_len(family);
	struct mbc_tuple u;
	unsigned int i;

	test_begin("%s: a tuple equals none that differs in a byte",
		   family_name(family));
	for (i = 0; i < sizeof(t) - sizeof(t.pad); i++) {
		if (i % 16 >= n && i < 32)
			continue;	/* 0 in all of IPv4 */
		u = t;
		((u8 *)&u)[i] ^= 0x80;
		EXPECT(!mbc_tuple_equal(&t, &u), "byte %u", i);
		EXPECT(!mbc_tuple_equal(&u, &t), "byte %u", i);
	}
}

void tuple_test(void)
{
	struct mbc_tuple t = make_tuple(AF_INET, make_addr("10.0.0.1"), 1,
					make_addr("10.0.0.2"), 2);
	unsigned int i;

	test_addrs();
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		test_fields(families[i]);
		test_reverse(families[i]);
		test_equal(families[i]);
	}

	test_begin("an unknown family names no session");
	t.family = AF_UNSPEC;
	EXPECT(!mbc_tuple_valid(&t), "AF_UNSPEC is valid");
	t.family = AF_UNIX;
	EXPECT(!mbc_tuple_valid(&t), "AF_UNIX is valid");

	test_begin("a tuple has no holes");
	EXPECT_EQ(sizeof(struct mbc_tuple), 40);
}
