// SPDX-License-Identifier: GPL-2.0-only
/* Every fuzz target keeps its promises on its committed corpus. */
#include "fuzz.h"
#include "make.h"
#include "test.h"

#include <dirent.h>

static const struct {
	const char *name;
	fuzz_target *run;
} targets[] = {
	{ "setup", fuzz_setup },
	{ "marker", fuzz_marker },
	{ "mss", fuzz_mss },
	{ "stamp", fuzz_stamp },
	{ "path", fuzz_path },
	{ "tcp", fuzz_tcp },
	{ "xlate", fuzz_xlate },
	{ "quote", fuzz_quote },
};

static bool run_file(fuzz_target *run, const char *dir, const char *name)
{
	char path[512];
	u8 data[4096];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		return false;
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, len);
	return true;
}

void corpus_test(void)
{
	struct dirent *entry;
	unsigned int i, n;
	char path[256];
	DIR *dir;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		test_begin("fuzz target %s holds on its corpus",
			   targets[i].name);
		snprintf(path, sizeof(path), "corpus/%s", targets[i].name);
		n = 0;
		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			if (*entry->d_name != '.')
				n += run_file(targets[i].run, path,
					      entry->d_name);
		}
		if (dir)
			closedir(dir);
		EXPECT(n, "no file in %s", path);
	}
}
