// SPDX-License-Identifier: GPL-2.0
/*
 * How long a guest waits for the answer to a request of one block: from the
 * notification of the queue until the response is there. The guest is the miniature
 * kernel of tools/testing/guest/mini, which measures it: a driver and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "linux.h"

#define MINI "/lab/guest/mini"
#define BENCH_S 120
#define NB_RUNS 5

/* As the guest calls them. */
static const struct {
	const char *guest;
	const char *name;
} requests[] = {
	{ "state_us", "request_state_us" },
	{ "plug_us", "request_us" },
	{ "unplug_us", "request_unplug_us" },
	{ "replug_us", "request_replug_us" },
	{ "reunplug_us", "request_reunplug_us" },
};

#define NB_REQUESTS (sizeof(requests) / sizeof(*requests))

static const char *const modes[] = { "group", "dynamic-user" };

#define NB_MODES (sizeof(modes) / sizeof(*modes))

static double find_median(struct linux_guest *guest, const char *request)
{
	char mark[64];
	const char *at;

	snprintf(mark, sizeof(mark), "mini: bench %s median=", request);
	at = guest->console.text ? strstr(guest->console.text, mark) : NULL;
	if (!at) {
		linux_explain(guest);
		bench_check(-EPROTO, mark);
		return 0;
	}
	return strtod(at + strlen(mark), NULL);
}

static void measure(const char *mode, double medians[NB_REQUESTS])
{
	const char *const argv[] = {
		"vmem-vmm", "--kernel", MINI, "--vmem", "4G,requested=1G", "--vmem-mode", mode,
		"--append", "bench", NULL,
	};
	struct linux_guest guest;
	unsigned int i;
	int status;

	bench_check(linux_start(&guest, argv), "vmem-vmm");
	status = linux_wait_exit(&guest, BENCH_S);
	if (status) {
		linux_explain(&guest);
		bench_check(status < 0 ? status : -EIO, "the guest's benchmark");
	}
	for (i = 0; i < NB_REQUESTS; i++)
		medians[i] = find_median(&guest, requests[i].guest);
	linux_stop(&guest);
}

void bench_request(void)
{
	double found[NB_REQUESTS], medians[NB_MODES][NB_REQUESTS][NB_RUNS];
	unsigned int i, mode, run;

	/* In turn, so that what else the machine does meets both. */
	for (run = 0; run < NB_RUNS; run++) {
		for (mode = 0; mode < NB_MODES; mode++) {
			measure(modes[mode], found);
			for (i = 0; i < NB_REQUESTS; i++)
				medians[mode][i][run] = found[i];
		}
	}
	for (mode = 0; mode < NB_MODES; mode++)
		for (i = 0; i < NB_REQUESTS; i++)
			bench_report(requests[i].name, modes[mode], NULL, medians[mode][i],
				     NB_RUNS, "us");
}
