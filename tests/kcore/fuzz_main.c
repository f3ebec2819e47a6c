// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer's entry; the Makefile says which FUZZ_TARGET. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	FUZZ_TARGET(data, len);
	return 0;
}
