// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where things are in the VM's own memory. */
#define RAM_PML4	0x1000
#define RAM_PDPT	0x2000
#define RAM_CODE	0x20000
#define RAM_COMMANDS	0x21000
#define PAGE		0x1000UL

#define PTE_TABLE	0x3		/* present, writable */
#define PTE_1G_PAGE	0x83		/* and large */

#define CR0_PE_MP_ET_NE_WP_PG	0x80010033ULL
#define CR4_PAE		0x20ULL
#define EFER_LME_LMA	0x500ULL

#define COMMAND_PORT	0x10

/*
 * The guest. RDI points to its struct guest_command; an OUT says that the
 * command is done and asks for the next one.
 */
asm(".pushsection .rodata\n"
	"guest_code:\n"
	"	out	%al, $0x10\n"
	"	mov	0(%rdi), %rax\n"
	"	mov	8(%rdi), %rsi\n"
	"	mov	16(%rdi), %rcx\n"
	"	mov	24(%rdi), %rdx\n"
	"	mov	32(%rdi), %rbx\n"
	"	xor	%r8d, %r8d\n"
	"1:	test	%rcx, %rcx\n"
	"	jz	5f\n"
	"	cmp	$1, %rax\n"
	"	je	2f\n"
	"	ja	3f\n"
	"	mov	%rbx, (%rsi)\n"
	"	jmp	4f\n"
	"2:	mov	(%rsi), %r9\n"
	"	cmp	%rbx, %r9\n"
	"	je	4f\n"
	"	inc	%r8\n"
	"	jmp	4f\n"
	"3:	mov	(%rsi), %r8\n"
	"4:	add	%rdx, %rsi\n"
	"	inc	%rbx\n"
	"	dec	%rcx\n"
	"	jmp	1b\n"
	"5:	mov	%r8, 40(%rdi)\n"
	"	jmp	guest_code\n"
	"guest_code_end:\n"
	".popsection\n");

extern const char guest_code[], guest_code_end[];

int vm_set_memslot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size,
		   void *addr)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)addr,
	};

	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return -errno;
	return 0;
}

int vm_check_extension(const struct vm *vm, int capability)
{
	int ret = ioctl(vm->fd, KVM_CHECK_EXTENSION, capability);

	return ret < 0 ? -errno : ret;
}

/* All of VM_MAX_GPA, mapped to itself by pages of 1 GiB. */
static void build_page_tables(char *ram)
{
	uint64_t *pml4 = (uint64_t *)(ram + RAM_PML4);
	uint64_t *pdpt = (uint64_t *)(ram + RAM_PDPT);
	uint64_t i;

	for (i = 0; i < VM_MAX_GPA >> 39; i++)
		pml4[i] = (RAM_PDPT + i * PAGE) | PTE_TABLE;
	for (i = 0; i < VM_MAX_GPA >> 30; i++)
		pdpt[i] = i << 30 | PTE_1G_PAGE;
}

static int vm_create_ram(struct vm *vm)
{
	char *ram = mmap(NULL, VM_RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (ram == MAP_FAILED)
		return -errno;
	vm->ram = ram;
	build_page_tables(ram);
	memcpy(ram + RAM_CODE, guest_code,
	       (uintptr_t)guest_code_end - (uintptr_t)guest_code);
	return vm_set_memslot(vm->fd, VM_RAM_SLOT, 0, VM_RAM_SIZE, ram);
}

/* KVM with shadow paging believes the guest's CPUID about pages of 1 GiB. */
static int vcpu_set_cpuid(const struct vm *vm, const struct vcpu *vcpu)
{
	enum { MAX_ENTRIES = 256 };
	struct kvm_cpuid2 *cpuid;
	int ret = 0;

	cpuid = calloc(1, sizeof(*cpuid) +
			  MAX_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_ENTRIES;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid))
		ret = -errno;
	free(cpuid);
	return ret;
}

static int vcpu_set_long_mode(const struct vcpu *vcpu)
{
	struct kvm_segment code = {
		.limit = ~0U, .selector = 8, .type = 11, .present = 1,
		.s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = ~0U, .selector = 16, .type = 3, .present = 1,
		.s = 1, .db = 1, .g = 1,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cr0 = CR0_PE_MP_ET_NE_WP_PG;
	sregs.cr3 = RAM_PML4;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME_LMA;
	return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) ? -errno : 0;
}

static int vcpu_create(struct vm *vm, unsigned int id)
{
	uint64_t command = RAM_COMMANDS + id * PAGE;
	struct vcpu *vcpu = &vm->vcpus[id];
	int ret;

	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0)
		return -errno;
	vm->nr_vcpus++;
	vcpu->command_gpa = command;
	vcpu->command = (void *)((char *)vm->ram + command);
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return -errno;
	}
	ret = vcpu_set_cpuid(vm, vcpu);
	if (ret)
		return ret;
	return vcpu_set_long_mode(vcpu);
}

static int vm_open(struct vm *vm)
{
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return -errno;
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return -errno;
	vm->run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm->run_size < 0)
		return -errno;
	return vm_create_ram(vm);
}

static int vm_create_any(struct vm *vm, unsigned int nr_vcpus, bool irqchip)
{
	unsigned int i;
	int ret;

	memset(vm, 0, sizeof(*vm));
	vm->kvm = -1;
	vm->fd = -1;
	if (nr_vcpus > VM_MAX_VCPUS)
		return -EINVAL;
	ret = vm_open(vm);
	if (!ret && irqchip && ioctl(vm->fd, KVM_CREATE_IRQCHIP))
		ret = -errno;
	for (i = 0; !ret && i < nr_vcpus; i++) {
		ret = vcpu_create(vm, i);
		vm->vcpus[i].interruptible = irqchip;
	}
	if (ret)
		vm_destroy(vm);
	return ret;
}

int vm_create(struct vm *vm, unsigned int nr_vcpus)
{
	return vm_create_any(vm, nr_vcpus, false);
}

int vm_create_with_irqchip(struct vm *vm, unsigned int nr_vcpus)
{
	return vm_create_any(vm, nr_vcpus, true);
}

void vm_destroy(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		if (vm->vcpus[i].run)
			munmap(vm->vcpus[i].run, vm->run_size);
		close(vm->vcpus[i].fd);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	if (vm->ram)
		munmap(vm->ram, VM_RAM_SIZE);
	memset(vm, 0, sizeof(*vm));
	vm->kvm = -1;
	vm->fd = -1;
}

static void vcpu_note_mmio(struct vcpu *vcpu)
{
	uint64_t value = VM_MMIO_VALUE;

	vcpu->nr_mmio++;
	vcpu->mmio_addr = vcpu->run->mmio.phys_addr;
	vcpu->mmio_len = vcpu->run->mmio.len;
	vcpu->mmio_is_write = vcpu->run->mmio.is_write;
	if (!vcpu->mmio_is_write)
		memcpy(vcpu->run->mmio.data, &value, sizeof(value));
}

/* Runs the guest up to the OUT by which it asks for a command. */
static int vcpu_run(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0)) {
			if (errno == EAGAIN || (errno == EINTR && !vcpu->gives_up))
				continue;
			return -errno;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			return run->io.port == COMMAND_PORT ? 0 : -EPROTO;
		case KVM_EXIT_MMIO:
			vcpu_note_mmio(vcpu);
			break;
		default:
			return -EPROTO;
		}
	}
}

/* Gets a new vCPU, or one whose command failed, to where it asks for one. */
static int vcpu_get_ready(struct vcpu *vcpu)
{
	struct kvm_regs regs = {
		.rip = RAM_CODE,
		.rdi = vcpu->command_gpa,
		.rflags = vcpu->interruptible ? 0x202 : 2,
	};

	if (vcpu->ready)
		return 0;
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		return -errno;
	return vcpu_run(vcpu);
}

static int vcpu_command(struct vcpu *vcpu, const struct guest_command *command)
{
	int ret = vcpu_get_ready(vcpu);

	if (ret)
		return ret;
	vcpu->nr_mmio = 0;
	*vcpu->command = *command;
	ret = vcpu_run(vcpu);
	vcpu->ready = !ret;
	return ret;
}

int guest_fill(struct vcpu *vcpu, uint64_t addr, uint64_t count,
	       uint64_t stride, uint64_t value)
{
	struct guest_command command = {
		.op = GUEST_FILL,
		.addr = addr,
		.count = count,
		.stride = stride,
		.value = value,
	};

	return vcpu_command(vcpu, &command);
}

long guest_verify(struct vcpu *vcpu, uint64_t addr, uint64_t count,
		  uint64_t stride, uint64_t value)
{
	struct guest_command command = {
		.op = GUEST_VERIFY,
		.addr = addr,
		.count = count,
		.stride = stride,
		.value = value,
	};
	int ret = vcpu_command(vcpu, &command);

	return ret ? ret : (long)vcpu->command->result;
}

int guest_write(struct vcpu *vcpu, uint64_t addr, uint64_t value)
{
	return guest_fill(vcpu, addr, 1, 0, value);
}

int guest_read(struct vcpu *vcpu, uint64_t addr, uint64_t *value)
{
	struct guest_command command = {
		.op = GUEST_READ,
		.addr = addr,
		.count = 1,
	};
	int ret = vcpu_command(vcpu, &command);

	if (!ret)
		*value = vcpu->command->result;
	return ret;
}

struct vcpu_work {
	struct vcpu *vcpu;
	struct guest_command command;
};

static void *vcpu_thread(void *arg)
{
	struct vcpu_work *work = arg;

	work->vcpu->error = vcpu_command(work->vcpu, &work->command);
	free(work);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, enum guest_op op, uint64_t addr,
	       uint64_t count, uint64_t stride, uint64_t value)
{
	struct vcpu_work *work = calloc(1, sizeof(*work));
	int ret;

	if (!work)
		return -ENOMEM;
	work->vcpu = vcpu;
	work->command.op = op;
	work->command.addr = addr;
	work->command.count = count;
	work->command.stride = stride;
	work->command.value = value;
	ret = pthread_create(&vcpu->thread, NULL, vcpu_thread, work);
	if (ret)
		free(work);
	return -ret;
}

int vcpu_join(struct vcpu *vcpu)
{
	pthread_join(vcpu->thread, NULL);
	return vcpu->error;
}

static int stat_find(int fd, const char *name, uint64_t *value)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	size_t desc_size;
	uint32_t i;
	int ret = -ENOENT;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return -EIO;
	desc_size = sizeof(*desc) + header.name_size;
	desc = calloc(1, desc_size);
	if (!desc)
		return -ENOMEM;
	for (i = 0; i < header.num_desc && ret; i++) {
		if (pread(fd, desc, desc_size,
			  header.desc_offset + i * desc_size) !=
		    (ssize_t)desc_size) {
			ret = -EIO;
			break;
		}
		if (strcmp(desc->name, name))
			continue;
		ret = pread(fd, value, sizeof(*value),
			    header.data_offset + desc->offset) ==
		      sizeof(*value) ? 0 : -EIO;
		break;
	}
	free(desc);
	return ret;
}

int kvm_stat(int fd, const char *name, uint64_t *value)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, NULL);
	int ret;

	if (stats < 0)
		return -errno;
	ret = stat_find(stats, name, value);
	close(stats);
	return ret;
}
