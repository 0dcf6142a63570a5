// SPDX-License-Identifier: GPL-2.0
/*
 * vmemctl export: all devices in Prometheus' text format, for the textfile collector of
 * its node exporter.
 *
 * Each metric has the labels device and label. What would make a series another one
 * without being another VM's (the pid of a VM that is not attached yet) is in
 * kvm_vmem_device_info alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "json.h"
#include "names.h"

/**
 * struct metric - a metric that is a file of each device
 * @name: Its name
 * @type: gauge or counter
 * @fact: The file
 * @divisor: How many of the file's units are one of the metric's
 * @help: What it is
 */
struct metric {
	const char *name;
	const char *type;
	enum fact fact;
	unsigned int divisor;
	const char *help;
};

static const struct metric metrics[] = {
	{ "size_bytes", "gauge", FACT_SIZE, 1, "What the guest has plugged." },
	{ "requested_size_bytes", "gauge", FACT_REQUESTED_SIZE, 1,
	  "What the guest is asked to reach." },
	{ "region_size_bytes", "gauge", FACT_REGION_SIZE, 1, "The most that it can reach." },
	{ "usable_region_size_bytes", "gauge", FACT_USABLE_REGION_SIZE, 1,
	  "The first part of the region, in which the guest may plug." },
	{ "block_size_bytes", "gauge", FACT_BLOCK_SIZE, 1, "The unit of plugging." },
	{ "memslot_size_bytes", "gauge", FACT_MEMSLOT_SIZE, 1, "The unit of mapping." },
	{ "resident_bytes", "gauge", FACT_RESIDENT, 1,
	  "Memory of the host that protected backing has now." },
	{ "discard_pending_bytes", "gauge", FACT_DISCARD_PENDING, 1,
	  "Memory that was unplugged and is still to be freed." },
	{ "frozen", "gauge", FACT_FROZEN, 1, "1 if the guest may neither plug nor unplug." },
	{ "dirty_log", "gauge", FACT_DIRTY_LOG, 1,
	  "1 if KVM logs which pages the guest writes to." },
	{ "retire_delay_seconds", "gauge", FACT_RETIRE_DELAY_MS, 1000,
	  "How long the guest must be quiet before idle memslots are retired." },
	{ "violations_total", "counter", FACT_VIOLATIONS, 1,
	  "Page faults in unplugged blocks of protected backing." },
	{ "kvm_calls_total", "counter", FACT_KVM_CALLS, 1,
	  "Times that KVM was asked to add or delete a memslot." },
};

static const struct {
	const char *response;
	enum fact fact;
} responses[] = {
	{ "ack", FACT_ACKS },
	{ "nack", FACT_NACKS },
	{ "busy", FACT_BUSIES },
	{ "error", FACT_ERRORS },
};

static void print_header(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP kvm_vmem_%s %s\n# TYPE kvm_vmem_%s %s\n", name, help, name, type);
}

/* Between quotes, as the format wants it: UTF-8 with three characters escaped. */
static void print_escaped(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value & 0x80)
			fputs(REPLACEMENT, out);
		else if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
}

/* The name and the labels that all have; the caller adds others, and ends them. */
static void begin_sample(FILE *out, const char *name, const struct device *device)
{
	fprintf(out, "kvm_vmem_%s{device=\"%s\",label=\"", name, device->name);
	print_escaped(out, device->label);
	fputc('"', out);
}

static void print_info(FILE *out, const struct devices *devices)
{
	size_t i;

	print_header(out, "device_info", "gauge",
		     "Always 1; the labels tell what does not change.");
	for (i = 0; i < devices->nb; i++) {
		const struct device *device = &devices->list[i];

		begin_sample(out, "device_info", device);
		fprintf(out,
			",pid=\"%" PRIu64 "\",addr=\"0x%" PRIx64 "\",node=\"%" PRIu64 "\"} 1\n",
			device->facts[FACT_PID], device->facts[FACT_ADDR],
			device->facts[FACT_NODE_ID]);
	}
}

static void print_metric(FILE *out, const struct metric *metric, const struct devices *devices)
{
	size_t i;

	print_header(out, metric->name, metric->type, metric->help);
	for (i = 0; i < devices->nb; i++) {
		uint64_t value = devices->list[i].facts[metric->fact];

		begin_sample(out, metric->name, &devices->list[i]);
		fprintf(out, "} %" PRIu64, value / metric->divisor);
		if (value % metric->divisor)
			fprintf(out, ".%03" PRIu64, value % metric->divisor);
		fputc('\n', out);
	}
}

static void print_memslots(FILE *out, const struct devices *devices)
{
	size_t i;

	print_header(out, "memslots", "gauge",
		     "Memslots of the region; KVM knows those that are active or idle.");
	for (i = 0; i < devices->nb; i++) {
		const uint64_t *facts = devices->list[i].facts;
		uint64_t known = facts[FACT_MEMSLOTS_ACTIVE] + facts[FACT_MEMSLOTS_IDLE];
		/* The files were not read at one moment. */
		uint64_t absent = facts[FACT_MEMSLOTS_TOTAL] > known ?
				  facts[FACT_MEMSLOTS_TOTAL] - known : 0;

		begin_sample(out, "memslots", &devices->list[i]);
		fprintf(out, ",state=\"active\"} %" PRIu64 "\n", facts[FACT_MEMSLOTS_ACTIVE]);
		begin_sample(out, "memslots", &devices->list[i]);
		fprintf(out, ",state=\"idle\"} %" PRIu64 "\n", facts[FACT_MEMSLOTS_IDLE]);
		begin_sample(out, "memslots", &devices->list[i]);
		fprintf(out, ",state=\"absent\"} %" PRIu64 "\n", absent);
	}
}

static void print_requests(FILE *out, const struct devices *devices)
{
	size_t i, j;

	print_header(out, "requests_total", "counter",
		     "Requests of the guest, by what they were answered.");
	for (i = 0; i < devices->nb; i++) {
		for (j = 0; j < sizeof(responses) / sizeof(*responses); j++) {
			begin_sample(out, "requests_total", &devices->list[i]);
			fprintf(out, ",response=\"%s\"} %" PRIu64 "\n", responses[j].response,
				devices->list[i].facts[responses[j].fact]);
		}
	}
}

/* @devices: NULL if the module is not loaded. A metric without samples is left out. */
static void print_all(FILE *out, const struct devices *devices)
{
	size_t i;

	print_header(out, "module_loaded", "gauge", "1 if the module kvm_vmem is loaded.");
	fprintf(out, "kvm_vmem_module_loaded %d\n", devices ? 1 : 0);
	if (!devices || !devices->nb)
		return;
	print_info(out, devices);
	for (i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		print_metric(out, &metrics[i], devices);
	print_memslots(out, devices);
	print_requests(out, devices);
}

static int cannot_write(const char *path)
{
	return fail(errno == EACCES || errno == EPERM ? STATUS_PERMISSION : STATUS_FAILED,
		    "cannot write %s: %s", path, strerror(errno));
}

/* A new file in place of /dev/stdout, say, would be one for everybody. */
static bool can_be_replaced(const char *path)
{
	struct stat stat;

	return lstat(path, &stat) || S_ISREG(stat.st_mode);
}

/* The exporter reads *.prom, at any moment: it must not find half a file, nor two. */
static int export_to(const char *path, const struct devices *devices)
{
	char *temporary;
	mode_t mask;
	FILE *out;
	int fd, ret = 0;

	if (!can_be_replaced(path))
		return fail(STATUS_FAILED, "cannot replace %s: it is no regular file", path);
	temporary = text("%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		ret = cannot_write(path);
		free(temporary);
		return ret;
	}
	mask = umask(0);
	umask(mask);
	out = must(fdopen(fd, "w"));
	print_all(out, devices);
	/* Another user's, it reads what others may. */
	if (fflush(out) || fchmod(fd, 0666 & ~mask) || rename(temporary, path)) {
		ret = cannot_write(path);
		unlink(temporary);
	}
	fclose(out);
	free(temporary);
	return ret;
}

int cmd_export(const struct options *options)
{
	struct devices devices = {};
	struct class class;
	int ret, error;

	ret = class_open(&class, options->sysfs);
	if (!ret)
		ret = devices_read(&devices, &class);
	/* Without the module there are no devices, which the file has to tell as well. */
	if (ret && ret != STATUS_NO_MODULE)
		return ret;
	if (options->nb_words) {
		error = export_to(options->words[0], ret ? NULL : &devices);
	} else {
		print_all(stdout, ret ? NULL : &devices);
		error = flush();
	}
	devices_close(&devices);
	return error ? error : ret;
}
