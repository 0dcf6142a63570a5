// SPDX-License-Identifier: GPL-2.0
/*
 * A stock guest grows and shrinks, under vmem-vmm in its three modes and under QEMU:
 * how long it takes, and how many page faults KVM resolves for it.
 *
 * Debian's guests zero what they give back, so that unplugging touches every page;
 * the size of the host's pages decides what that costs. The memfd of vmem-vmm's modes
 * static and dynamic-user, and of qemu-memfd, has 4 KiB pages, as Linux is configured.
 */
#include <stdlib.h>

#include "bench.h"
#include "vmm.h"

#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
/* With it, QEMU's memslots are of 1 GiB, as the module's are. */
#define REGION "16G"
#define BUSY_S 120
#define NB_RUNS 3
#define MAX_MODES 2

/*
 * Groups of modes that are measured in turn, so that what else the machine does meets
 * them alike. Those that are slow, and not close to a bar, are measured once.
 */
static const struct {
	unsigned int nb_runs;
	unsigned int nb_modes;
	struct vmm_mode modes[MAX_MODES];
} rounds[] = {
	{ NB_RUNS, 2, { { "group", &vmm_vmem, "group" }, { "qemu-ram", &vmm_qemu, "ram" } } },
	{ 1, 1, { { "qemu-memfd", &vmm_qemu, "memfd" } } },
	{ 1, 1, { { "static", &vmm_vmem, "static" } } },
	{ 1, 1, { { "dynamic-user", &vmm_vmem, "dynamic-user" } } },
};

struct figures {
	double plug_ms[NB_RUNS];
	double unplug_ms[NB_RUNS];
	double unplug_faults[NB_RUNS];
};

/* The better of the modes of QEMU, in each figure. */
static struct {
	double plug_ms;
	double unplug_ms;
	double unplug_faults;
} best;

static void keep_least(double *least, double value)
{
	if (!*least || value < *least)
		*least = value;
}

/* What else the machine does only ever adds to the time. */
static double least_of(const double *values, unsigned int nb)
{
	double least = 0;
	unsigned int i;

	for (i = 0; i < nb; i++)
		keep_least(&least, values[i]);
	return least;
}

static void report(const char *mode, double plug_ms, double unplug_ms, double unplug_faults)
{
	bench_result("guest_plug_ms", mode, NULL, plug_ms, "ms");
	bench_result("guest_unplug_ms", mode, NULL, unplug_ms, "ms");
	bench_result("guest_unplug_faults", mode, NULL, unplug_faults, "faults");
}

static void report_runs(const struct vmm_mode *mode, struct figures *figures, unsigned int nb)
{
	double plug_ms = least_of(figures->plug_ms, nb);
	double unplug_ms = least_of(figures->unplug_ms, nb);
	double unplug_faults = bench_median(figures->unplug_faults, nb);

	report(mode->name, plug_ms, unplug_ms, unplug_faults);
	if (mode->program != &vmm_qemu)
		return;
	keep_least(&best.plug_ms, plug_ms);
	keep_least(&best.unplug_ms, unplug_ms);
	keep_least(&best.unplug_faults, unplug_faults);
}

static void grow_and_shrink(struct vmm *vmm, struct figures *figures, unsigned int run)
{
	struct vmm_resized resized;

	figures->plug_ms[run] = vmm_resize(vmm, 4 * GiB).ms;
	resized = vmm_resize(vmm, 0);
	figures->unplug_ms[run] = resized.ms;
	figures->unplug_faults[run] = resized.faults;
}

static void measure(const struct vmm_mode *modes, unsigned int nb_modes, unsigned int nb_runs)
{
	static const struct vmm_machine machine = { .memory = "256M", .region = REGION };
	struct figures figures[MAX_MODES];
	struct vmm vmms[MAX_MODES];
	unsigned int nb = 0, i, run;

	for (i = 0; i < nb_modes; i++)
		if (vmm_is_here(&modes[i]))
			vmm_boot(&vmms[nb++], &modes[i], &machine);
	for (run = 0; run < nb_runs; run++)
		for (i = 0; i < nb; i++)
			grow_and_shrink(&vmms[i], &figures[i], run);
	for (i = 0; i < nb; i++) {
		vmm_end(&vmms[i]);
		report_runs(vmms[i].mode, &figures[i], nb_runs);
	}
}

void bench_guest(void)
{
	unsigned int i;

	bench_check(write_file(SHMEM_ENABLED, "never"), SHMEM_ENABLED);
	for (i = 0; i < sizeof(rounds) / sizeof(*rounds); i++)
		measure(rounds[i].modes, rounds[i].nb_modes, rounds[i].nb_runs);
	if (best.plug_ms)
		report("qemu", best.plug_ms, best.unplug_ms, best.unplug_faults);
}

/*
 * A guest that writes to 256 MiB of its boot RAM, page by page, once a second, gives
 * back 8 GiB. Those pages are there before anything is plugged, so that they are not in
 * what is given back. Without a pause it would take half of the guest's CPU, whether
 * for page faults or not, and these would cost nothing else any time.
 */
static void measure_busy(const struct vmm_mode *mode, const char *name)
{
	static const struct vmm_machine machine = {
		.memory = "768M",
		.small_pages = true,
		.region = REGION,
	};
	struct vmm_resized resized;
	struct vmm vmm;

	vmm_boot(&vmm, mode, &machine);
	vmm_run(&vmm, "memory busy 256M /tmp/rounds 1000", BUSY_S);
	vmm_resize(&vmm, 8 * GiB);
	resized = vmm_resize(&vmm, 0);
	vmm_end(&vmm);
	bench_result("busy_unplug_ms", name, NULL, resized.ms, "ms");
	bench_result("busy_unplug_faults", name, NULL, resized.faults, "faults");
}

void bench_busy(void)
{
	static const struct vmm_mode group = { "group", &vmm_vmem, "group" };
	/* With a memfd each of two million pages would cost a fault more. */
	static const struct vmm_mode qemu = { "qemu-ram", &vmm_qemu, "ram" };

	bench_check(write_file(SHMEM_ENABLED, "never"), SHMEM_ENABLED);
	measure_busy(&group, "group");
	if (vmm_is_here(&qemu))
		measure_busy(&qemu, "qemu");
}
