// SPDX-License-Identifier: GPL-2.0-only
/* What the fuzz targets share; see fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <linux/string.h>

void fuzz_broken(const char *file, int line, const char *promise)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
	abort();
}

u32 fuzz_take(struct fuzz_input *in, unsigned int n)
{
	u32 v = 0;

	while (n--) {
		v <<= 8;
		if (!in->len)
			continue;
		v |= *in->data++;
		in->len--;
	}
	return v;
}

size_t fuzz_header(const struct fuzz_input *in, u8 *header)
{
	const size_t bare = 20, room = FUZZ_HEADER - bare;
	const size_t n = in->len < room ? in->len : room;

	memset(header, 0, FUZZ_HEADER);
	if (n)
		memcpy(header + bare, in->data, n);
	return bare + n;
}

u8 *fuzz_copy(const u8 *data, size_t len)
{
	u8 *copy = malloc(len ? len : 1);

	if (len)
		memcpy(copy, data, len);
	return copy;
}
