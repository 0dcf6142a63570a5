// SPDX-License-Identifier: GPL-2.0
#include "mappings.h"

#include <stddef.h>
#include <stdio.h>

bool read_mappings(struct mappings *mappings)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	mappings->nb = 0;
	if (!maps)
		return false;
	while (mappings->nb < MAX_MAPPINGS && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &mappings->list[mappings->nb].start,
			   &mappings->list[mappings->nb].end) == 2)
			mappings->nb++;
	fclose(maps);
	return true;
}

static bool is_mapped(const struct mappings *mappings, uintptr_t addr)
{
	unsigned int i;

	for (i = 0; i < mappings->nb; i++)
		if (addr >= mappings->list[i].start &&
		    addr < mappings->list[i].end)
			return true;
	return false;
}

void *new_page(const struct mappings *before, const struct mappings *after)
{
	uintptr_t first, last;
	unsigned int i;

	for (i = 0; i < after->nb; i++) {
		first = after->list[i].start;
		last = after->list[i].end - 4096;
		if (!is_mapped(before, first))
			return (void *)first;
		if (!is_mapped(before, last))
			return (void *)last;
	}
	return NULL;
}
