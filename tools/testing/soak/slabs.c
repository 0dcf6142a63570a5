// SPDX-License-Identifier: GPL-2.0
/* What slab caches hold, and which of them have grown: where to look if all together have. */
#include "soak.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SLABINFO "/proc/slabinfo"
/* Less is a slab or two, of which one object may be used. */
#define WORTH_A_WORD (16 * 1024)

/* The columns: name, objects in use, objects, size, objects a slab, pages a slab. */
void slabs_read(struct slabs *slabs)
{
	FILE *file = fopen(SLABINFO, "re");
	char line[512];

	slabs->nr = 0;
	while (file && slabs->nr < SLABS_NR && fgets(line, sizeof(line), file)) {
		struct slab *slab = &slabs->slabs[slabs->nr];
		uint64_t all, per_slab, pages;

		if (sscanf(line, "%31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
			   slab->name, &slab->used, &all, &slab->object_size, &per_slab,
			   &pages) != 6 || !per_slab)
			continue;
		slab->size = all / per_slab * pages * 4096;
		slabs->nr++;
	}
	if (file)
		fclose(file);
}

uint64_t slabs_in_use(const struct slabs *slabs)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < slabs->nr; i++)
		sum += slabs->slabs[i].used * slabs->slabs[i].object_size;
	return sum;
}

void slabs_compare(const struct slabs *before, const struct slabs *after)
{
	unsigned int i, j;

	for (i = 0; i < after->nr; i++) {
		const struct slab *new = &after->slabs[i], none = {}, *old = &none;

		for (j = 0; j < before->nr; j++)
			if (!strcmp(before->slabs[j].name, new->name))
				old = &before->slabs[j];
		if (new->size >= old->size + WORTH_A_WORD)
			printf("slab %-23s %12" PRIu64 " %12" PRIu64 "            KiB, of %" PRIu64
			       " and %" PRIu64 " objects\n", new->name, old->size / 1024,
			       new->size / 1024, old->used, new->used);
	}
}
