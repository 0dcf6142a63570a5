// SPDX-License-Identifier: GPL-2.0
/* vmemctl top: all devices, and what they do, until q is pressed. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "names.h"
#include "size.h"
#include "table.h"
#include "terminal.h"

#define BAR 12

/* How much of what it is asked for; more than that is not shown. */
static char *cell_bar(const struct row *row)
{
	uint64_t requested = row->device->facts[FACT_REQUESTED_SIZE];
	uint64_t size = row->device->facts[FACT_SIZE];
	int part = size < requested ? (long double)size / requested * BAR : BAR;
	char bar[BAR + 1] = "";

	if (!size)
		part = 0;
	memset(bar, '#', part);
	memset(bar + part, '-', BAR - part);
	return text("[%s]", bar);
}

static char *cell_speed(const struct row *row)
{
	uint64_t from, to;

	if (!row->before)
		return text("-");
	from = row->before->facts[FACT_SIZE];
	to = row->device->facts[FACT_SIZE];
	if (from == to)
		return text("0");
	return text("%c%s", to < from ? '-' : '+',
		    format_size((to < from ? from - to : to - from) * 1000.0L / row->ms).text);
}

static uint64_t nb_requests(const struct device *device)
{
	return device->facts[FACT_ACKS] + device->facts[FACT_NACKS] +
	       device->facts[FACT_BUSIES] + device->facts[FACT_ERRORS];
}

static char *cell_requests(const struct row *row)
{
	if (!row->before)
		return text("-");
	return text("%.0Lf", (nb_requests(row->device) - nb_requests(row->before)) * 1000.0L /
			     row->ms);
}

static const struct column columns[] = {
	{ "NAME", cell_name, .left = true },
	{ "LABEL", cell_label, .left = true, .rank = 3 },
	{ "PID", cell_pid, .rank = 7 },
	{ "SIZE", cell_size },
	{ "REQUESTED", cell_requested_size, .rank = 1 },
	{ "PLUGGED", cell_bar, .left = true, .rank = 4 },
	{ "SIZE/S", cell_speed, .rank = 2 },
	{ "REQUESTS/S", cell_requests, .rank = 5 },
	{ "RESIDENT", cell_resident, .rank = 6 },
	{ "MEMSLOTS", cell_memslots, .rank = 9 },
	{ "VIOLATIONS", cell_violations, .rank = 8 },
	{ }
};

/**
 * struct look - at all devices
 * @devices: As they were
 * @ms: When that was; 0: never
 */
struct look {
	struct devices devices;
	int64_t ms;
};

static int look_at(struct look *look, const struct class *class)
{
	look->ms = now_ms();
	return devices_read(&look->devices, class);
}

static void print_summary(const struct devices *devices, FILE *out)
{
	uint64_t size = 0, requested = 0, resident = 0;
	size_t i, width = terminal_width();
	char *line;

	for (i = 0; i < devices->nb; i++) {
		size += devices->list[i].facts[FACT_SIZE];
		requested += devices->list[i].facts[FACT_REQUESTED_SIZE];
		resident += devices->list[i].facts[FACT_RESIDENT];
	}
	line = text("%zu device%s: %s plugged of %s requested, %s resident (q: quit)",
		    devices->nb, devices->nb == 1 ? "" : "s", format_size(size).text,
		    format_size(requested).text, format_size(resident).text);
	if (strlen(line) > width)
		line[width] = 0;
	fprintf(out, "%s\033[K\n", line);
	free(line);
}

/* In one write, so that it does not flicker. */
static int draw(const struct look *now, const struct look *before)
{
	size_t height = terminal_height(), size;
	const struct table table = {
		.columns = columns,
		.devices = &now->devices,
		.before = before->ms && before->ms < now->ms ? &before->devices : NULL,
		.ms = now->ms - before->ms,
		.width = terminal_width(),
		/* Besides the summary, the titles, and the line below all. */
		.max_rows = height > 4 ? height - 3 : 1,
		.end_of_line = "\033[K",
	};
	char *screen = NULL;
	FILE *out = must(open_memstream(&screen, &size));

	fputs("\033[H", out);
	print_summary(&now->devices, out);
	table_print(&table, out);
	fputs("\033[J", out);
	if (fclose(out))
		must(NULL);
	fwrite(screen, 1, size, stdout);
	free(screen);
	return flush();
}

static int live(const struct class *class, const struct options *options)
{
	struct look now = {}, before = {};
	enum terminal_event event;
	int64_t left;
	int ret;

	ret = look_at(&now, class);
	while (!ret) {
		ret = draw(&now, &before);
		if (ret)
			break;
		left = now.ms + options->interval_ms - now_ms();
		event = terminal_wait(left > 0 ? left : 0);
		if (event == TERMINAL_QUIT)
			break;
		if (event == TERMINAL_REDRAW)
			continue;
		devices_close(&before.devices);
		before = now;
		ret = look_at(&now, class);
	}
	devices_close(&before.devices);
	devices_close(&now.devices);
	return ret;
}

/* For those who cannot be drawn for. */
static int once(const struct class *class, const struct options *options)
{
	struct devices devices;
	const struct table table = {
		.columns = columns,
		.devices = &devices,
		.end_of_line = "",
	};
	int ret;

	ret = devices_read(&devices, class);
	if (ret)
		return ret;
	if (options->json) {
		ret = json_print(json_devices(&devices), false);
	} else {
		table_print(&table, stdout);
		ret = flush();
	}
	devices_close(&devices);
	return ret;
}

int cmd_top(const struct options *options)
{
	struct class class;
	int ret;

	ret = class_open(&class, options->sysfs);
	if (ret)
		return ret;
	if (options->json || !terminal_can_draw())
		return once(&class, options);
	ret = terminal_take();
	if (ret)
		return fail(STATUS_FAILED, "the terminal: %s", strerror(-ret));
	ret = live(&class, options);
	terminal_give_back();
	return ret;
}
