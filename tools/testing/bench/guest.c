// SPDX-License-Identifier: GPL-2.0
/*
 * A Linux guest grows and shrinks, under vmem-vmm in its three modes and under QEMU: how
 * long it takes, how many page faults KVM resolves for it, and how often KVM is asked to
 * change a memslot.
 *
 * guest, busy: Debian's guests zero what they give back, so that unplugging touches every
 * page; the size of the host's pages decides what that costs. The memfd of vmem-vmm's
 * modes static and dynamic-user, and of qemu-memfd, has 4 KiB pages, as Linux is
 * configured.
 *
 * resize: the same guest is told not to (init_on_alloc=0), as others' guests are not
 * built to. Then nothing but the host's work is left, and it takes seconds.
 */
#include <stdlib.h>

#include "bench.h"
#include "vmm.h"

#define SHMEM_ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
/* With it, QEMU's memslots are of 1 GiB, as the module's are. */
#define REGION "16G"
#define BUSY_S 120
#define NB_RUNS 3
#define MAX_MODES 6

static const struct vmm_mode group = { "group", &vmm_vmem, "group", NULL };
static const struct vmm_mode one_memslot = { "static", &vmm_vmem, "static", NULL };
static const struct vmm_mode dynamic_user = { "dynamic-user", &vmm_vmem, "dynamic-user", NULL };
static const struct vmm_mode qemu_ram = { "qemu-ram", &vmm_qemu, "ram", "on" };
static const struct vmm_mode qemu_memfd = { "qemu-memfd", &vmm_qemu, "memfd", "on" };
static const struct vmm_mode qemu_static = { "qemu-static", &vmm_qemu, "ram", "off" };

/*
 * Modes that are measured in turn, so that what else the machine does meets them alike.
 * Those that are slow, and not close to a bar, are measured once.
 */
struct round {
	unsigned int nb_runs;
	unsigned int nb_modes;
	const struct vmm_mode *modes[MAX_MODES];
};

static const struct round zeroing[] = {
	{ NB_RUNS, 2, { &group, &qemu_ram } },
	{ 1, 1, { &qemu_memfd } },
	{ 1, 1, { &one_memslot } },
	{ 1, 1, { &dynamic_user } },
};

static const struct round all = {
	NB_RUNS, 6,
	{ &group, &one_memslot, &dynamic_user, &qemu_ram, &qemu_memfd, &qemu_static },
};

static const struct vmm_machine stock = { .memory = "256M", .region = REGION, .append = "" };
static const struct vmm_machine lean = {
	.memory = "256M",
	.region = REGION,
	.append = " init_on_alloc=0",
};

struct figures {
	double plug_ms[NB_RUNS];
	double unplug_ms[NB_RUNS];
	double unplug_faults[NB_RUNS];
	double kvm_calls[NB_RUNS];
};

static void report(const struct vmm_mode *mode, const char *of, struct figures *figures,
		   unsigned int nb)
{
	bench_report("guest_plug_ms", mode->name, of, figures->plug_ms, nb, "ms");
	bench_report("guest_unplug_ms", mode->name, of, figures->unplug_ms, nb, "ms");
	bench_report("guest_unplug_faults", mode->name, of, figures->unplug_faults, nb,
		     "faults");
	bench_report("guest_kvm_calls", mode->name, of, figures->kvm_calls, nb, "calls");
}

static void grow_and_shrink(struct vmm *vmm, struct figures *figures, unsigned int run)
{
	struct vmm_resized plugged = vmm_resize(vmm, 4 * GiB);
	struct vmm_resized unplugged = vmm_resize(vmm, 0);

	figures->plug_ms[run] = plugged.ms;
	figures->unplug_ms[run] = unplugged.ms;
	figures->unplug_faults[run] = unplugged.faults;
	figures->kvm_calls[run] = plugged.kvm_calls + unplugged.kvm_calls;
}

static void measure(const struct round *round, const struct vmm_machine *machine,
		    const char *of)
{
	struct figures figures[MAX_MODES];
	struct vmm vmms[MAX_MODES];
	unsigned int nb = 0, i, run;

	for (i = 0; i < round->nb_modes; i++)
		if (vmm_is_here(round->modes[i]))
			vmm_boot(&vmms[nb++], round->modes[i], machine);
	for (run = 0; run < round->nb_runs; run++)
		for (i = 0; i < nb; i++)
			grow_and_shrink(&vmms[i], &figures[i], run);
	for (i = 0; i < nb; i++) {
		vmm_end(&vmms[i]);
		report(vmms[i].mode, of, &figures[i], round->nb_runs);
	}
}

void bench_guest(void)
{
	unsigned int i;

	bench_check(write_file(SHMEM_ENABLED, "never"), SHMEM_ENABLED);
	for (i = 0; i < sizeof(zeroing) / sizeof(*zeroing); i++)
		measure(&zeroing[i], &stock, "zeroing");
}

void bench_resize(void)
{
	bench_check(write_file(SHMEM_ENABLED, "never"), SHMEM_ENABLED);
	measure(&all, &lean, "init_on_alloc=0");
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
		.append = "",
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
	bench_result("busy_unplug_kvm_calls", name, NULL, resized.kvm_calls, "calls");
}

void bench_busy(void)
{
	bench_check(write_file(SHMEM_ENABLED, "never"), SHMEM_ENABLED);
	measure_busy(&group, "group");
	/* With a memfd each of two million pages would cost a fault more. */
	if (vmm_is_here(&qemu_ram))
		measure_busy(&qemu_ram, "qemu");
}
