// SPDX-License-Identifier: GPL-2.0
/* vmemctl show: all that is known of a device. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl.h"
#include "json.h"
#include "names.h"
#include "size.h"

enum kind {
	KIND_NUMBER,
	KIND_SIZE,
	KIND_ADDRESS,
	KIND_MS,
	KIND_PID,
	KIND_YES_NO,
	KIND_LAST_VIOLATION,
};

static const struct {
	enum fact fact;
	enum kind kind;
	const char *meaning;
} lines[] = {
	{ FACT_PID, KIND_PID, "process of the VM" },
	{ FACT_SIZE, KIND_SIZE, "plugged by the guest" },
	{ FACT_REQUESTED_SIZE, KIND_SIZE, "what the guest is asked to reach" },
	{ FACT_REGION_SIZE, KIND_SIZE, "the most that it can reach" },
	{ FACT_USABLE_REGION_SIZE, KIND_SIZE, "where it may plug now" },
	{ FACT_BLOCK_SIZE, KIND_SIZE, "unit of plugging" },
	{ FACT_ADDR, KIND_ADDRESS, "guest physical" },
	{ FACT_NODE_ID, KIND_NUMBER, "NUMA node of the guest" },
	{ FACT_RESIDENT, KIND_SIZE, "memory of the host that it has" },
	{ FACT_DISCARD_PENDING, KIND_SIZE, "unplugged and still to be freed" },
	{ FACT_MEMSLOT_SIZE, KIND_SIZE, "unit of mapping" },
	{ FACT_MEMSLOTS_TOTAL, KIND_NUMBER, "memslots in the region" },
	{ FACT_MEMSLOTS_ACTIVE, KIND_NUMBER, "with plugged blocks" },
	{ FACT_MEMSLOTS_IDLE, KIND_NUMBER, "without, to be retired" },
	{ FACT_FROZEN, KIND_YES_NO, "the guest may not plug or unplug" },
	{ FACT_DIRTY_LOG, KIND_YES_NO, "what the guest writes to is logged" },
	{ FACT_RETIRE_DELAY_MS, KIND_MS, "when it is quiet for so long" },
	{ FACT_VIOLATIONS, KIND_NUMBER, "accesses to unplugged blocks" },
	{ FACT_LAST_VIOLATION, KIND_LAST_VIOLATION, "offset in the region" },
	{ FACT_ACKS, KIND_NUMBER, "requests done" },
	{ FACT_NACKS, KIND_NUMBER, "requests beyond the requested size" },
	{ FACT_BUSIES, KIND_NUMBER, "requests that the host did not do" },
	{ FACT_ERRORS, KIND_NUMBER, "requests that were invalid" },
	{ FACT_KVM_CALLS, KIND_NUMBER, "memslots added and deleted" },
};

static char *value_text(const struct device *device, enum fact fact, enum kind kind)
{
	uint64_t value = device->facts[fact];

	switch (kind) {
	case KIND_SIZE:
		return text("%s", format_size(value).text);
	case KIND_ADDRESS:
		return text("0x%" PRIx64, value);
	case KIND_MS:
		return text("%" PRIu64 " ms", value);
	case KIND_PID:
		return value ? text("%" PRIu64, value) : text("-");
	case KIND_YES_NO:
		return text("%s", value ? "yes" : "no");
	case KIND_LAST_VIOLATION:
		return device->facts[FACT_VIOLATIONS] ? text("0x%" PRIx64, value) : text("-");
	case KIND_NUMBER:
		break;
	}
	return text("%" PRIu64, value);
}

static int print_lines(const struct device *device)
{
	char *value = printable(device->label);
	size_t i;

	printf("%-20s %s\n%-20s %s\n", "name", device->name, "label", value);
	free(value);
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		value = value_text(device, lines[i].fact, lines[i].kind);
		printf("%-20s %-12s  %s\n", fact_files[lines[i].fact], value, lines[i].meaning);
		free(value);
	}
	return flush();
}

static int show(struct device *device, const struct options *options)
{
	return options->json ? json_print(json_device(device), false) : print_lines(device);
}

int cmd_show(const struct options *options)
{
	return with_device(options, show);
}
