/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM as small as one can be: two megabytes of low memory, bare vCPUs in 64-bit
 * mode with an identity mapping, and a guest that does what it is told: fill a
 * range of guest-physical memory, verify it, read a word.
 *
 * Functions return 0 or -errno, unless said otherwise.
 */
#ifndef KVM_VMEM_TEST_VM_H
#define KVM_VMEM_TEST_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define VM_MAX_VCPUS	4
/* Guest-physical memory that the guest can address. */
#define VM_MAX_GPA	(16ULL << 39)
/* The VM's own memory: memslot 0 at address 0. */
#define VM_RAM_SLOT	0
#define VM_RAM_SIZE	(2UL << 20)
/* What a guest reads where there is no memory. */
#define VM_MMIO_VALUE	0xa5a5a5a5a5a5a5a5ULL

/**
 * struct guest_command - what a vCPU is told to do; known to the guest's code
 * @op: One of enum guest_op
 * @addr: Guest-physical address of the first word
 * @count: How many words of 64 bits
 * @stride: From one word to the next, in bytes
 * @value: Of the first word; each further one has one more
 * @result: VERIFY: how many words were wrong. READ: the word
 */
struct guest_command {
	uint64_t op;
	uint64_t addr;
	uint64_t count;
	uint64_t stride;
	uint64_t value;
	uint64_t result;
};

enum guest_op {
	GUEST_FILL = 0,
	GUEST_VERIFY = 1,
	GUEST_READ = 2,
};

/**
 * struct vcpu - a virtual CPU
 * @fd: File descriptor
 * @run: What it shares with KVM
 * @command: What it shares with the guest's code
 * @command_gpa: Where the guest has that
 * @interruptible: It takes interrupts; none ever comes
 * @gives_up: A signal ends its command, with -EINTR
 * @ready: It waits for a command
 * @thread: Runs the command of vcpu_start()
 * @error: What that returned
 * @nr_mmio: Accesses to where there is no memory, in the last command
 * @mmio_addr: Guest-physical address of the last of them
 * @mmio_len: Its length
 * @mmio_is_write: Its direction
 */
struct vcpu {
	int fd;
	struct kvm_run *run;
	struct guest_command *command;
	uint64_t command_gpa;
	bool interruptible;
	bool gives_up;
	bool ready;
	pthread_t thread;
	int error;
	unsigned long nr_mmio;
	uint64_t mmio_addr;
	uint32_t mmio_len;
	bool mmio_is_write;
};

/**
 * struct vm - a virtual machine
 * @kvm: File descriptor of /dev/kvm
 * @fd: File descriptor of the VM
 * @ram: Its low memory
 * @run_size: Size of struct kvm_run and what follows it
 * @nr_vcpus: How many of @vcpus there are
 * @vcpus: The vCPUs
 */
struct vm {
	int kvm;
	int fd;
	void *ram;
	long run_size;
	unsigned int nr_vcpus;
	struct vcpu vcpus[VM_MAX_VCPUS];
};

int vm_create(struct vm *vm, unsigned int nr_vcpus);
/* With KVM's own interrupt controllers, and vCPUs that take interrupts. */
int vm_create_with_irqchip(struct vm *vm, unsigned int nr_vcpus);
void vm_destroy(struct vm *vm);

/* Returns the value of the capability, or -errno. */
int vm_check_extension(const struct vm *vm, int capability);

/* Size 0 deletes the memslot. The address space is in bits 16 and up of @slot. */
int vm_set_memslot(int vm_fd, uint32_t slot, uint64_t gpa, uint64_t size,
		   void *addr);

/*
 * Have the guest touch memory. What it touches outside of all memslots is
 * counted in the vCPU; such reads give VM_MMIO_VALUE. guest_verify() returns
 * the number of wrong words, or -errno.
 */
int guest_fill(struct vcpu *vcpu, uint64_t addr, uint64_t count,
	       uint64_t stride, uint64_t value);
long guest_verify(struct vcpu *vcpu, uint64_t addr, uint64_t count,
		  uint64_t stride, uint64_t value);
int guest_write(struct vcpu *vcpu, uint64_t addr, uint64_t value);
int guest_read(struct vcpu *vcpu, uint64_t addr, uint64_t *value);

/* A command in a thread of its own; vcpu_join() returns its error. */
int vcpu_start(struct vcpu *vcpu, enum guest_op op, uint64_t addr,
	       uint64_t count, uint64_t stride, uint64_t value);
int vcpu_join(struct vcpu *vcpu);

/* A counter of KVM's by name, of a VM (pages_2m) or a vCPU (pf_fixed). */
int kvm_stat(int fd, const char *name, uint64_t *value);

#endif /* KVM_VMEM_TEST_VM_H */
