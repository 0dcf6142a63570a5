// SPDX-License-Identifier: GPL-2.0
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* Each is 1024 times the one before. */
static const char units[] = "BKMGT";

static unsigned int unit_shift(unsigned int unit)
{
	return 10 * unit;
}

static int no_size(const char *arg, const char *why)
{
	return fail(STATUS_USAGE, "'%s' is no size: %s", arg, why);
}

int parse_size(const char *arg, struct new_size *size)
{
	const char *number = arg, *unit;
	unsigned int shift = 0;
	char *end;

	*size = (struct new_size){};
	if (*number == '+' || *number == '-')
		size->sign = *number++;
	/* strtoull() would take blanks and a further sign. */
	if (!isdigit((unsigned char)*number))
		return no_size(arg, "it does not begin with a number, as 512M or +1G does");

	errno = 0;
	size->bytes = strtoull(number, &end, 10);
	if (*end == '.' || *end == ',')
		return no_size(arg, "there are no fractions; take a smaller unit, 1536M for 1.5G");
	if (*end) {
		unit = strchr(units + 1, toupper((unsigned char)*end));
		if (!unit || end[1])
			return no_size(arg, "after the number comes K, M, G, T or nothing");
		shift = unit_shift(unit - units);
	}
	if (errno == ERANGE || size->bytes > UINT64_MAX >> shift)
		return no_size(arg, "it is more than 64 bits can count");
	size->bytes <<= shift;
	return 0;
}

struct size_text format_exact(uint64_t bytes)
{
	unsigned int unit = strlen(units) - 1;
	struct size_text size;

	while (bytes & ((1ULL << unit_shift(unit)) - 1))
		unit--;
	if (!bytes || !unit)
		snprintf(size.text, sizeof(size.text), "%" PRIu64, bytes);
	else
		snprintf(size.text, sizeof(size.text), "%" PRIu64 "%c",
			 bytes >> unit_shift(unit), units[unit]);
	return size;
}

struct size_text format_size(uint64_t bytes)
{
	unsigned int unit = strlen(units) - 1;
	struct size_text size;
	uint64_t rest;

	while (unit && bytes >> unit_shift(unit) == 0)
		unit--;
	rest = bytes & ((1ULL << unit_shift(unit)) - 1);
	if (!rest)
		return format_exact(bytes);
	/* Cut off, not rounded: 1023.999M are not 1024M. */
	snprintf(size.text, sizeof(size.text), "%" PRIu64 ".%02u%c",
		 bytes >> unit_shift(unit),
		 (unsigned int)((rest >> unit_shift(unit - 1)) * 100 / 1024), units[unit]);
	return size;
}
