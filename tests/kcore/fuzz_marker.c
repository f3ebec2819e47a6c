// SPDX-License-Identifier: GPL-2.0-only
/* TCP options, none of which is a marker: nobody can guess a MAC. */
#include "fuzz.h"
#include "make.h"
#include "marker.h"

#include <stdlib.h>
#include <linux/string.h>

#define MAX_OPTIONS 40

void fuzz_marker(const u8 *data, size_t len)
{
	static const u8 secret[MBC_KEY_LEN] = "not to be known";
	const struct mbc_key key = { .id = 1, .secret = make_key(secret) };
	struct mbc_marker m = { .migration = 1 };
	const size_t n = len < MAX_OPTIONS ? len : MAX_OPTIONS;
	u8 *options = fuzz_copy(data, n);

	MUST(mbc_marker_read(&m, options, n, &key, 1) != MBC_MARKER_OURS);
	MUST(!m.known && !m.end);
	free(options);
}
