// SPDX-License-Identifier: GPL-2.0
/* vmemctl list: all devices, a line each. */
#include "ctl.h"
#include "json.h"
#include "names.h"
#include "table.h"

static const struct column columns[] = {
	{ "NAME", cell_name, .left = true },
	{ "LABEL", cell_label, .left = true, .rank = 2 },
	{ "PID", cell_pid, .rank = 4 },
	{ "SIZE", cell_size },
	{ "REQUESTED", cell_requested_size, .rank = 1 },
	{ "REGION", cell_region_size, .rank = 3 },
	{ "BLOCK", cell_block_size, .rank = 8 },
	{ "RESIDENT", cell_resident, .rank = 6 },
	{ "MEMSLOTS", cell_memslots, .rank = 7 },
	{ "VIOLATIONS", cell_violations, .rank = 5 },
	{ }
};

static int print_table(const struct devices *devices)
{
	const struct table table = {
		.columns = columns,
		.devices = devices,
		.width = terminal_width(),
		.end_of_line = "",
	};

	if (devices->nb)
		table_print(&table, stdout);
	else
		fputs("vmemctl: there are no devices: no VM has one\n", stderr);
	return flush();
}

int cmd_list(const struct options *options)
{
	struct devices devices;
	struct class class;
	int ret;

	ret = class_open(&class, options->sysfs);
	if (!ret)
		ret = devices_read(&devices, &class);
	if (ret)
		return ret;
	ret = options->json ? json_print(json_devices(&devices), false) : print_table(&devices);
	devices_close(&devices);
	return ret;
}
