// SPDX-License-Identifier: GPL-2.0-only
/* TCP options. The input: the stamp, four bytes, then the options. */
#include "fuzz.h"
#include "option.h"
#include "tcp.h"

#include <stdlib.h>
#include <linux/string.h>

#define HEADER 20

void fuzz_stamp(const u8 *data, size_t len)
{
	struct fuzz_input in = { data, len };
	const u32 stamp = fuzz_take(&in, 4);
	u8 header[FUZZ_HEADER];
	const size_t n = fuzz_header(&in, header);
	u32 had = 0, has = 0, old = 0;
	unsigned int at;
	bool found;
	u8 *th;

	th = fuzz_copy(header, n);

	found = mbc_option_stamp(th, n, &had);
	at = mbc_option_raise_stamp(th, n, stamp, &old);
	MUST(mbc_option_stamp(th, n, &has) == found);
	MUST(!found || mbc_seq_reaches(has, stamp));
	if (at) {
		MUST(found && old == had && has == stamp);
		MUST(!mbc_seq_reaches(had, stamp));
		MUST(at >= HEADER + 2 && at + 8 <= n);
		MUST(header[at - 2] == 8 && header[at - 1] == 10);
		memcpy(th + at, header + at, 4);
	}
	MUST(!memcmp(th, header, n));
	free(th);
}
