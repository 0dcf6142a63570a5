// SPDX-License-Identifier: GPL-2.0
#include "nested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* In the VM's low memory, behind what vm.c has there. */
#define VMCB_GPA	0x100000
#define SAVE_GPA	0x101000
#define CODE_GPA	0x102000
/* The guest's own page tables: not for user accesses, which all of a guest's are. */
#define PAGE_TABLES_GPA	0x1000

#define NB_CPUID	256
#define CPUID_EXTENDED	0x80000001
#define CPUID_SVM	(1U << 2)
#define EFER_SVME	(1ULL << 12)
#define MSR_VM_HSAVE_PA	0xc0010117
#define EXIT_NPF	0x400

/* The parts of a VMCB that are not 0, by their offsets in AMD's manual, volume 2. */
#define VMCB_INTERCEPTS	0x10	/* the first bit: VMRUN, which must be */
#define VMCB_ASID	0x58
#define VMCB_EXITCODE	0x70
#define VMCB_NESTED	0x90	/* the first bit: nested paging */
#define VMCB_NESTED_CR3	0xb0
#define VMCB_CS		0x410
#define VMCB_EFER	0x4d0
#define VMCB_CR0	0x558
#define VMCB_RFLAGS	0x570

#define CODE_16_BIT	0x9b
#define CR0_ET		0x10
#define RFLAGS_ALWAYS	0x2

asm(".pushsection .rodata\n"
	"nested_code:\n"
	"	vmrun\n"
	"	out	%al, $0x10\n"
	"nested_code_end:\n"
	".popsection\n");

extern const char nested_code[], nested_code_end[];

static void put(char *vmcb, unsigned int offset, uint64_t value)
{
	memcpy(vmcb + offset, &value, sizeof(value));
}

/* In real mode, as a CPU begins. */
static void fill_vmcb(char *vmcb)
{
	memset(vmcb, 0, SAVE_GPA - VMCB_GPA);
	put(vmcb, VMCB_INTERCEPTS, 1);
	put(vmcb, VMCB_ASID, 1);
	put(vmcb, VMCB_NESTED, 1);
	put(vmcb, VMCB_NESTED_CR3, PAGE_TABLES_GPA);
	put(vmcb, VMCB_CS, CODE_16_BIT << 16 | 0xffffULL << 32);
	put(vmcb, VMCB_EFER, EFER_SVME);
	put(vmcb, VMCB_CR0, CR0_ET);
	put(vmcb, VMCB_RFLAGS, RFLAGS_ALWAYS);
}

/* What KVM lets a guest have; it takes EFER.SVME from user space anyway. */
static bool has_svm(const struct vm *vm)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[NB_CPUID];
	} cpuid = { .head = { .nent = NB_CPUID } };
	unsigned int i;

	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid))
		return false;
	for (i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entries[i].function == CPUID_EXTENDED)
			return cpuid.entries[i].ecx & CPUID_SVM;
	return false;
}

static int enable_svm(struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry msr;
	} msrs = {
		.head = { .nmsrs = 1 },
		.msr = { .index = MSR_VM_HSAVE_PA, .data = SAVE_GPA },
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.efer |= EFER_SVME;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs))
		return -errno;
	return ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) == 1 ? 0 : -EINVAL;
}

int nested_run(struct vm *vm)
{
	struct kvm_regs regs = { .rip = CODE_GPA, .rax = VMCB_GPA, .rflags = RFLAGS_ALWAYS };
	struct vcpu *vcpu = &vm->vcpus[0];
	char *ram = vm->ram;
	uint64_t exitcode;
	int ret;

	if (!has_svm(vm))
		return -EOPNOTSUPP;
	ret = enable_svm(vcpu);
	if (ret)
		return ret;
	fill_vmcb(ram + VMCB_GPA);
	memcpy(ram + CODE_GPA, nested_code, (uintptr_t)nested_code_end - (uintptr_t)nested_code);
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return -errno;
	while (ioctl(vcpu->fd, KVM_RUN, 0))
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	memcpy(&exitcode, ram + VMCB_GPA + VMCB_EXITCODE, sizeof(exitcode));
	return vcpu->run->exit_reason == KVM_EXIT_IO && exitcode == EXIT_NPF ? 0 : -EPROTO;
}
