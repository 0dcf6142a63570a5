// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpu.h"
#include "cpu_state.h"
#include "vcpu.h"
#include "vmm.h"

#define MSR_IA32_TSC 0x10

/* What is read and written by a call without any more to it. */
struct step {
	unsigned long command;
	size_t offset;
	const char *what;
};

#define STEP(name, member, text) { name, offsetof(struct vcpu_state, member), text }

/* Reading whether it runs may have it take an INIT or SIPI first: all else follows. */
static const struct step get_steps[] = {
	STEP(KVM_GET_MP_STATE, mp_state, "run state"),
	STEP(KVM_GET_VCPU_EVENTS, events, "events"),
	STEP(KVM_GET_SREGS, sregs, "system registers"),
	STEP(KVM_GET_REGS, regs, "registers"),
	STEP(KVM_GET_XSAVE, xsave, "FPU"),
	STEP(KVM_GET_XCRS, xcrs, "XCRs"),
	STEP(KVM_GET_DEBUGREGS, debugregs, "debug registers"),
	STEP(KVM_GET_LAPIC, lapic, "local APIC"),
};

/* The local APIC after the address of it, which is in the system registers. */
static const struct step set_steps[] = {
	STEP(KVM_SET_REGS, regs, "registers"),
	STEP(KVM_SET_XSAVE, xsave, "FPU"),
	STEP(KVM_SET_XCRS, xcrs, "XCRs"),
	STEP(KVM_SET_DEBUGREGS, debugregs, "debug registers"),
	STEP(KVM_SET_LAPIC, lapic, "local APIC"),
	STEP(KVM_SET_MP_STATE, mp_state, "run state"),
	STEP(KVM_SET_VCPU_EVENTS, events, "events"),
};

/* As KVM has them, without room. */
_Static_assert(offsetof(struct cpuid, entries) == sizeof(struct kvm_cpuid2), "no more, no less");
_Static_assert(offsetof(struct vcpu_msrs, entries) == sizeof(struct kvm_msrs), "no more, no less");
_Static_assert(sizeof(((struct vcpu_state *)NULL)->xsave) == sizeof(struct kvm_xsave),
	       "no more, no less");
_Static_assert(offsetof(struct vcpu_nested, size) == offsetof(struct kvm_nested_state, size),
	       "no more, no less");

/* struct kvm_msr_list, with room. */
static struct {
	uint32_t nmsrs;
	uint32_t indices[CPU_MAX_MSRS];
} known_msrs;

/* Of all vCPUs: they came from a host with another frequency. */
static bool tsc_is_scaled;

/* struct kvm_msrs of one. */
struct one_msr {
	uint32_t nmsrs;
	uint32_t pad;
	struct kvm_msr_entry entry;
};

static int failed(struct cpu_failure *failure, const char *what)
{
	*failure = (struct cpu_failure){ .what = what, .error = errno };
	return -errno;
}

int cpu_find_msrs(int kvm, const struct vcpu *vcpu)
{
	struct one_msr one = { .nmsrs = 1 };
	uint32_t nb = 0;

	known_msrs.nmsrs = CPU_MAX_MSRS;
	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &known_msrs) < 0)
		return -errno;
	for (uint32_t i = 0; i < known_msrs.nmsrs; i++) {
		one.entry = (struct kvm_msr_entry){ .index = known_msrs.indices[i] };
		if (one.entry.index == MSR_IA32_TSC)
			continue;
		/* Some are listed for CPUs that this one is not. */
		if (ioctl(vcpu->fd, KVM_GET_MSRS, &one) == 1 &&
		    ioctl(vcpu->fd, KVM_SET_MSRS, &one) == 1)
			known_msrs.indices[nb++] = one.entry.index;
	}
	known_msrs.nmsrs = nb;
	return 0;
}

static int save_msrs(const struct vcpu *vcpu, struct vcpu_state *state,
		     struct cpu_failure *failure)
{
	uint32_t nb = known_msrs.nmsrs;
	int done;

	for (uint32_t i = 0; i < nb; i++)
		state->msrs.entries[i] = (struct kvm_msr_entry){ .index = known_msrs.indices[i] };
	state->msrs.nmsrs = nb;
	done = ioctl(vcpu->fd, KVM_GET_MSRS, &state->msrs);
	if (done < 0)
		return failed(failure, "MSRs");
	if ((uint32_t)done == nb)
		return 0;
	errno = EIO;
	failed(failure, "MSR");
	failure->msr = state->msrs.entries[done].index;
	return -EIO;
}

/*
 * What is refused and zero is an MSR that this host does not have, and that the guest
 * had no use for.
 */
static int restore_msrs(const struct vcpu *vcpu, const struct vcpu_state *state,
			struct cpu_failure *failure)
{
	struct vcpu_msrs rest = { 0 };
	uint32_t next = 0, nb = state->msrs.nmsrs;
	int done;

	while (next < nb) {
		rest.nmsrs = nb - next;
		memcpy(rest.entries, &state->msrs.entries[next],
		       (nb - next) * sizeof(rest.entries[0]));
		done = ioctl(vcpu->fd, KVM_SET_MSRS, &rest);
		if (done < 0)
			return failed(failure, "MSRs");
		next += done;
		if (next == nb)
			break;
		/* The one that KVM did not take; it has 0 anyway. */
		if (!state->msrs.entries[next].data) {
			next++;
			continue;
		}
		errno = EINVAL;
		failed(failure, "MSR");
		failure->msr = state->msrs.entries[next].index;
		return -EINVAL;
	}
	return 0;
}

/* A KVM without nested guests says that it has none. */
static int save_nested(const struct vcpu *vcpu, struct vcpu_state *state,
		       struct cpu_failure *failure)
{
	state->nested.size = sizeof(state->nested);
	if (ioctl(vcpu->fd, KVM_GET_NESTED_STATE, &state->nested) < 0) {
		state->nested_size = 0;
		return errno == EINVAL ? 0 : failed(failure, "nested guest");
	}
	state->nested_size = state->nested.size;
	return 0;
}

static int restore_nested(const struct vcpu *vcpu, const struct vcpu_state *state,
			  struct cpu_failure *failure)
{
	if (!state->nested_size)
		return 0;
	if (state->nested_size < sizeof(struct kvm_nested_state) ||
	    state->nested.size != state->nested_size) {
		errno = EINVAL;
		return failed(failure, "nested guest");
	}
	return ioctl(vcpu->fd, KVM_SET_NESTED_STATE, &state->nested) < 0 ?
		failed(failure, "nested guest") : 0;
}

static int take_steps(const struct vcpu *vcpu, const struct step *steps, size_t nb,
		      const struct vcpu_state *state, struct cpu_failure *failure)
{
	for (size_t i = 0; i < nb; i++)
		if (ioctl(vcpu->fd, steps[i].command, (char *)state + steps[i].offset) < 0)
			return failed(failure, steps[i].what);
	return 0;
}

static int read_tsc(const struct vcpu *vcpu, struct vcpu_tsc *tsc, struct cpu_failure *failure)
{
	struct one_msr msr = { .nmsrs = 1, .entry.index = MSR_IA32_TSC };
	const struct kvm_device_attr offset = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&tsc->offset,
	};
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ);

	if (khz < 0 || ioctl(vcpu->fd, KVM_GET_DEVICE_ATTR, &offset) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_MSRS, &msr) != 1)
		return failed(failure, "TSC");
	tsc->khz = khz;
	tsc->value = msr.entry.data;
	return 0;
}

int cpu_save(const struct vcpu *vcpu, struct vcpu_state *state, struct cpu_failure *failure)
{
	int ret;

	memset(state, 0, sizeof(*state));
	state->cpuid = *vcpu->cpuid;
	ret = read_tsc(vcpu, &state->tsc, failure);
	if (ret == 0)
		ret = take_steps(vcpu, get_steps, ARRAY_SIZE(get_steps), state, failure);
	if (ret == 0)
		ret = save_nested(vcpu, state, failure);
	return ret < 0 ? ret : save_msrs(vcpu, state, failure);
}

int cpu_restore(const struct vcpu *vcpu, const struct vcpu_state *state,
		struct cpu_failure *failure)
{
	int ret;

	/* First the bit that says that there may be nested guests. */
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &state->sregs) < 0)
		return failed(failure, "system registers");
	ret = restore_nested(vcpu, state, failure);
	if (ret == 0)
		ret = take_steps(vcpu, set_steps, ARRAY_SIZE(set_steps), state, failure);
	/* The deadline MSR after the timer that it is of. */
	return ret < 0 ? ret : restore_msrs(vcpu, state, failure);
}

uint32_t cpu_tsc_khz(const struct vcpu *vcpu)
{
	int khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ);

	return khz < 0 ? 0 : khz;
}

bool cpu_tsc_is_scaled(void)
{
	return tsc_is_scaled;
}

int cpu_tsc_shift(const struct vcpu *vcpu, const struct vcpu_tsc *tsc, uint64_t *shift,
		  struct cpu_failure *failure)
{
	struct vcpu_tsc ours = { 0 };
	int ret = read_tsc(vcpu, &ours, failure);

	*shift = ret < 0 ? 0 : tsc->value - ours.value + ours.offset - tsc->offset;
	return ret;
}

/*
 * By its offset: of the MSR, KVM takes any value within a second of what it expects for
 * an attempt to have vCPUs agree, and leaves it as it is.
 */
static int adopt_tsc(const struct vcpu *vcpu, const struct vcpu_tsc *tsc, uint64_t shift,
		     struct cpu_failure *failure)
{
	const uint64_t offset = tsc->offset + shift;
	const struct kvm_device_attr set_offset = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	if (tsc->khz != cpu_tsc_khz(vcpu)) {
		if (ioctl(vcpu->fd, KVM_SET_TSC_KHZ, tsc->khz) < 0)
			return failed(failure, "TSC's frequency");
		tsc_is_scaled = true;
	}
	return ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &set_offset) < 0 ?
		failed(failure, "TSC") : 0;
}

/* The counter before the MSR with the deadline that it will reach. */
int cpu_adopt(const struct vcpu *vcpu, const struct vcpu_state *state, uint64_t tsc_shift,
	      struct cpu_failure *failure)
{
	int ret;

	*vcpu->cpuid = state->cpuid;
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, vcpu->cpuid) < 0)
		return failed(failure, "CPUID");
	ret = adopt_tsc(vcpu, &state->tsc, tsc_shift, failure);
	return ret < 0 ? ret : cpu_restore(vcpu, state, failure);
}

void cpu_was_paused(const struct vcpu *vcpu)
{
	/* A guest without KVM's clock has no such watchdogs. */
	ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL);
}
