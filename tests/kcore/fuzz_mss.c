// SPDX-License-Identifier: GPL-2.0-only
/* TCP options. The input: the limit, two bytes, then the options. */
#include "fuzz.h"
#include "option.h"

#include <stdlib.h>
#include <linux/string.h>

#define HEADER 20

void fuzz_mss(const u8 *data, size_t len)
{
	struct fuzz_input in = { data, len };
	const u16 mss = fuzz_take(&in, 2);
	u8 header[FUZZ_HEADER];
	const size_t n = fuzz_header(&in, header);
	unsigned int at;
	u16 old = 0;
	u8 *th;

	th = fuzz_copy(header, n);

	at = mbc_option_clamp_mss(th, n, mss, &old);
	if (at) {
		MUST(at >= HEADER + 2 && at + 2 <= n);
		MUST(header[at - 2] == 2 && header[at - 1] == 4);
		MUST(old > mss && old == (header[at] << 8 | header[at + 1]));
		MUST(mss == (th[at] << 8 | th[at + 1]));
		MUST(!mbc_option_clamp_mss(th, n, mss, &old));
		memcpy(th + at, header + at, 2);
	}
	MUST(!memcmp(th, header, n));
	free(th);
}
