// SPDX-License-Identifier: GPL-2.0
/* What is in the columns that several tables have. */
#include <inttypes.h>

#include "ctl.h"
#include "size.h"
#include "table.h"

static char *size_text(const struct row *row, enum fact fact)
{
	return text("%s", format_size(row->device->facts[fact]).text);
}

static char *number_text(const struct row *row, enum fact fact)
{
	return text("%" PRIu64, row->device->facts[fact]);
}

char *cell_name(const struct row *row)
{
	return text("%s", row->device->name);
}

char *cell_label(const struct row *row)
{
	return printable(row->device->label);
}

char *cell_pid(const struct row *row)
{
	/* 0: not attached yet, or in a pid namespace that is not ours. */
	return row->device->facts[FACT_PID] ? number_text(row, FACT_PID) : text("-");
}

char *cell_size(const struct row *row)
{
	return size_text(row, FACT_SIZE);
}

char *cell_requested_size(const struct row *row)
{
	return size_text(row, FACT_REQUESTED_SIZE);
}

char *cell_region_size(const struct row *row)
{
	return size_text(row, FACT_REGION_SIZE);
}

char *cell_block_size(const struct row *row)
{
	return size_text(row, FACT_BLOCK_SIZE);
}

char *cell_resident(const struct row *row)
{
	return size_text(row, FACT_RESIDENT);
}

char *cell_memslots(const struct row *row)
{
	const uint64_t *facts = row->device->facts;

	return text("%" PRIu64 "+%" PRIu64 "/%" PRIu64, facts[FACT_MEMSLOTS_ACTIVE],
		    facts[FACT_MEMSLOTS_IDLE], facts[FACT_MEMSLOTS_TOTAL]);
}

char *cell_violations(const struct row *row)
{
	return number_text(row, FACT_VIOLATIONS);
}
