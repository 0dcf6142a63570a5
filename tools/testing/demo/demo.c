// SPDX-License-Identifier: GPL-2.0
/*
 * Measures, inside the emulated host, what a region of 1 TiB with 1 GiB plugged
 * costs: as one memslot, and as a group of the module's. Prints a JSON object a
 * line for each measurement, and a line with what the guest found. metadata.h says
 * how it is measured.
 *
 * One memslot takes seconds and is measured once; the group takes milliseconds, and
 * the median of some rounds is told.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "metadata.h"

#define REGION_SIZE	TiB
#define PLUGGED_SIZE	GiB
#define GROUP_ROUNDS	5

static bool is_group(const struct metadata *what)
{
	return !what->memslot_size;
}

/* The guest writes a word: does it get through to the host's memory? */
static bool guest_reaches(struct metadata_vm *vm, uint64_t offset)
{
	const uint64_t value = 0x6b766d2d766d656d ^ offset;
	struct vcpu *vcpu = &vm->vm.vcpus[0];
	uint64_t seen;

	if (guest_write(vcpu, METADATA_ADDR + offset, value))
		errx(1, "KVM_RUN failed");
	if (vcpu->nr_mmio) {
		if (vcpu->mmio_addr != METADATA_ADDR + offset)
			errx(1, "an MMIO exit elsewhere");
		return false;
	}
	memcpy(&seen, vm->backing.addr + offset, sizeof(seen));
	if (seen != value)
		errx(1, "the host does not see what the guest wrote");
	return true;
}

static void ask_guest(struct metadata *what, struct metadata_vm *vm)
{
	bool plugged = guest_reaches(vm, 0) && guest_reaches(vm, PLUGGED_SIZE - 8);
	bool unplugged = guest_reaches(vm, PLUGGED_SIZE) ||
			 guest_reaches(vm, REGION_SIZE - 8);

	printf("guest %s%s %s plugged=%s unplugged=%s\n", metadata_paging(),
	       what->smm ? "+smm" : "", is_group(what) ? "group" : "static",
	       plugged ? "reached" : "mmio", unplugged ? "reached" : "mmio");
}

static void print(const struct metadata *what)
{
	struct utsname kernel;

	uname(&kernel);
	printf("{\"config\":\"%s%s\",\"mode\":\"%s\",\"metadata_kib\":%" PRIu64
	       ",\"ready_ms\":%.3f,\"kernel\":\"%s\"}\n",
	       metadata_paging(), what->smm ? "+smm" : "",
	       is_group(what) ? "group" : "static", what->kib, what->ms, kernel.release);
}

static int by_time(const void *a, const void *b)
{
	const struct metadata *x = a, *y = b;

	return (x->ms > y->ms) - (x->ms < y->ms);
}

static void run_rounds(const struct metadata *what)
{
	struct metadata runs[GROUP_ROUNDS];
	int i, rounds = is_group(what) ? GROUP_ROUNDS : 1;

	for (i = 0; i < rounds; i++) {
		runs[i] = *what;
		metadata_measure(&runs[i]);
		if (runs[i].error)
			errx(1, "KVM_SET_USER_MEMORY_REGION: %s", strerror(-runs[i].error));
	}
	qsort(runs, rounds, sizeof(runs[0]), by_time);
	print(&runs[rounds / 2]);
}

int main(void)
{
	struct metadata what = {
		.region_size = REGION_SIZE,
		.plugged_size = PLUGGED_SIZE,
		.backing = BACKING_MEMFD,
		.then = ask_guest,
	};
	int i;

	for (i = 0; i < 4; i++) {
		what.smm = i & 2;
		what.memslot_size = i & 1 ? 0 : REGION_SIZE;
		run_rounds(&what);
	}
	return 0;
}
