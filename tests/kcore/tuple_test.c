// SPDX-License-Identifier: GPL-2.0-only
/* Which tuples may name a session, and what their reverse is. */
#include "make.h"
#include "test.h"

#include <linux/in.h>
#include <linux/string.h>

static const struct {
	const char *name;
	u8 addr[4];
	bool want;
} addrs[] = {
	{ "zero is no host", { 0, 0, 0, 0 }, false },
	{ "this network is no host", { 0, 255, 255, 255 }, false },
	{ "the first address is a host", { 1, 0, 0, 0 }, true },
	{ "a private address is a host", { 10, 0, 0, 1 }, true },
	{ "the last before loopback is a host", { 126, 255, 255, 255 }, true },
	{ "loopback does not leave its host", { 127, 0, 0, 1 }, false },
	{ "all of loopback does not", { 127, 255, 255, 255 }, false },
	{ "the first after loopback is a host", { 128, 0, 0, 0 }, true },
	{ "link-local is a host", { 169, 254, 1, 1 }, true },
	{ "the last before multicast is a host", { 223, 255, 255, 255 }, true },
	{ "multicast is no host", { 224, 0, 0, 0 }, false },
	{ "the end of multicast is no host", { 239, 255, 255, 255 }, false },
	{ "class E is a host, as in Linux", { 240, 0, 0, 1 }, true },
	{ "the last of class E is a host", { 255, 255, 255, 254 }, true },
	{ "broadcast is no host", { 255, 255, 255, 255 }, false },
};

static void test_addrs(void)
{
	const __be32 good = make_addr(10, 0, 0, 9);
	struct mbc_tuple t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		const u8 *a = addrs[i].addr;
		const __be32 addr = make_addr(a[0], a[1], a[2], a[3]);

		test_begin("%s", addrs[i].name);
		EXPECT_EQ(mbc_addr_valid(addr), addrs[i].want);
		t = make_tuple(addr, 1, good, 1);
		EXPECT_EQ(mbc_tuple_valid(&t), addrs[i].want);
		t = make_tuple(good, 1, addr, 1);
		EXPECT_EQ(mbc_tuple_valid(&t), addrs[i].want);
	}
}

void tuple_test(void)
{
	const __be32 a = make_addr(10, 0, 0, 1), b = make_addr(10, 0, 0, 2);
	struct mbc_tuple t, r;

	test_addrs();

	test_begin("port 0 names no session");
	t = make_tuple(a, 0, b, 80);
	EXPECT(!mbc_tuple_valid(&t), "source port 0 is valid");
	t = make_tuple(a, 80, b, 0);
	EXPECT(!mbc_tuple_valid(&t), "destination port 0 is valid");

	test_begin("a protocol other than TCP names no session");
	t = make_tuple(a, 1, b, 2);
	t.proto = IPPROTO_UDP;
	EXPECT(!mbc_tuple_valid(&t), "UDP is valid");

	test_begin("the reverse of the reverse is the tuple, byte for byte");
	t = make_tuple(a, 1, b, 2);
	r = mbc_tuple_reverse(&t);
	EXPECT(!mbc_tuple_equal(&t, &r), "reverse equals tuple");
	EXPECT_EQ(r.saddr, b);
	EXPECT_EQ(r.dport, t.sport);
	r = mbc_tuple_reverse(&r);
	EXPECT(mbc_tuple_equal(&t, &r), "not equal");
	EXPECT(!memcmp(&t, &r, sizeof(t)), "bytes differ");
}
