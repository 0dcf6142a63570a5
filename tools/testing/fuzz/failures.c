// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "failures.h"
#include "vmem.h"

#define PAGE	4096UL

/* From the first function of the module to the end of the page that has the last one. */
static bool find_text(uint64_t *start, uint64_t *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long addr;
	char line[512], type;

	*start = UINT64_MAX;
	*end = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, "[kvm_vmem]") || sscanf(line, "%llx %c", &addr, &type) != 2 ||
		    (type | 0x20) != 't')
			continue;
		*start = addr < *start ? addr : *start;
		*end = addr > *end ? addr : *end;
	}
	if (file)
		fclose(file);
	*end = (*end | (PAGE - 1)) + 1;
	return *start < *end;
}

static bool set(const char *point, const char *name, uint64_t value)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", point, name);
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)value);
	return !write_file(path, text);
}

bool failures_prepare(void)
{
	static const char *const points[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	uint64_t start, end;

	if (fail_choose(FAIL_MEMORY | FAIL_COPIES, NULL) || !find_text(&start, &end))
		return false;
	for (unsigned int i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (!set(points[i], "require-start", start) || !set(points[i], "require-end", end))
			return false;
	return true;
}
