// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvm.h>

#include "acpi.h"
#include "cpu.h"
#include "cpu_state.h"
#include "machine.h"
#include "serial.h"
#include "vcpu.h"

/* Has KVM_RUN return. */
#define SIGNAL_KICK SIGUSR1

/* The keyboard controller's way to reset a PC, for guests that know no other. */
#define PORT_KEYBOARD 0x64
#define KEYBOARD_RESET 0xfe

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Protected by the lock. */
static bool paused = true;
static unsigned int nb_paused;
static pthread_t threads[OPTIONS_MAX_CPUS];

static void kicked(int signal)
{
	(void)signal;
}

static bool must_pause(void)
{
	bool ret;

	pthread_mutex_lock(&lock);
	ret = paused;
	pthread_mutex_unlock(&lock);
	return ret;
}

/*
 * The signal may arrive before KVM_RUN and be forgotten, hence the flag, which
 * KVM looks at.
 */
void vcpus_ask_to_pause(void)
{
	pthread_mutex_lock(&lock);
	paused = true;
	for (unsigned int i = 0; i < machine.options->nb_cpus; i++) {
		__atomic_store_n(&machine.vcpus[i].run->immediate_exit, 1, __ATOMIC_RELEASE);
		if (threads[i])
			pthread_kill(threads[i], SIGNAL_KICK);
	}
	pthread_mutex_unlock(&lock);
}

void vcpus_pause(void)
{
	vcpus_ask_to_pause();
	pthread_mutex_lock(&lock);
	while (nb_paused < machine.options->nb_cpus)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void vcpus_resume(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < machine.options->nb_cpus; i++)
		__atomic_store_n(&machine.vcpus[i].run->immediate_exit, 0, __ATOMIC_RELEASE);
	paused = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void vcpus_go_on(void)
{
	for (unsigned int i = 0; i < machine.options->nb_cpus; i++)
		cpu_was_paused(&machine.vcpus[i]);
	vcpus_resume();
}

static void wait_to_run(void)
{
	pthread_mutex_lock(&lock);
	nb_paused++;
	pthread_cond_broadcast(&changed);
	while (paused)
		pthread_cond_wait(&changed, &lock);
	nb_paused--;
	pthread_mutex_unlock(&lock);
}

static uint8_t port_read(uint16_t port)
{
	if (port >= SERIAL_PORT && port < SERIAL_PORT + SERIAL_NB_PORTS)
		return serial_read(port - SERIAL_PORT);
	switch (port) {
	case ACPI_PORT_PRESENCE:
		return (1U << machine.nb_devices) - 1;
	case ACPI_PORT_SLEEP_STATUS:
	case PORT_KEYBOARD:
		return 0;
	}
	return 0xff;
}

static void port_write(uint16_t port, uint8_t value)
{
	if (port >= SERIAL_PORT && port < SERIAL_PORT + SERIAL_NB_PORTS)
		serial_write(port - SERIAL_PORT, value);
	else if ((port == ACPI_PORT_RESET && value == ACPI_RESET_VALUE) ||
		 (port == PORT_KEYBOARD && value == KEYBOARD_RESET))
		machine_request_reset();
	else if (port == ACPI_PORT_SLEEP_CONTROL && value == ACPI_SLEEP_S5)
		machine_stop(VMM_EXIT_ENDED, NULL);
}

/* All ports are a byte wide; what is wider reaches the next ones. */
static void handle_io(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++) {
		for (uint8_t byte = 0; byte < run->io.size; byte++, data++) {
			if (run->io.direction == KVM_EXIT_IO_IN)
				*data = port_read(run->io.port + byte);
			else
				port_write(run->io.port + byte, *data);
		}
	}
}

/* What is nowhere reads as ones, as on a PC. */
static void handle_mmio(struct kvm_run *run)
{
	uint64_t offset = run->mmio.phys_addr - VIRTIO_MMIO_BASE;
	uint64_t slot = offset / VIRTIO_MMIO_SIZE;

	if (run->mmio.phys_addr < VIRTIO_MMIO_BASE || slot >= machine.nb_devices) {
		/* In group mode the module protects it, and KVM comes here all the same. */
		if (machine_vmem_at(run->mmio.phys_addr))
			machine_violation(run->mmio.phys_addr);
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return;
	}
	offset %= VIRTIO_MMIO_SIZE;
	if (run->mmio.is_write)
		virtio_write(machine.devices[slot], offset, run->mmio.data, run->mmio.len);
	else
		virtio_read(machine.devices[slot], offset, run->mmio.data, run->mmio.len);
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(run);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(run);
		break;
	case KVM_EXIT_SHUTDOWN:
		/* A triple fault, by which some guests reboot. */
		machine_request_reset();
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_FAIL_ENTRY:
		machine_stop(VMM_EXIT_FAILED, "vCPU %u: the CPU refuses its state: 0x%llx",
			     vcpu->id, run->fail_entry.hardware_entry_failure_reason);
		break;
	default:
		machine_stop(VMM_EXIT_FAILED, "vCPU %u: KVM gave up, exit reason %u", vcpu->id,
			     run->exit_reason);
	}
}

static void run_failed(struct vcpu *vcpu, int error)
{
	switch (error) {
	case EINTR:
	case EAGAIN:
		return;
	case EFAULT:
		machine_memory_failed();
		return;
	default:
		machine_stop(VMM_EXIT_FAILED, "vCPU %u: KVM_RUN: %s", vcpu->id, strerror(error));
	}
}

/*
 * Has KVM finish the instruction that it came out with, and that may need more than one
 * access: else the rest of it would be missing from what is saved of the vCPU.
 */
static void finish_instruction(struct vcpu *vcpu)
{
	while (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		handle_exit(vcpu);
}

static void *vcpu_thread(void *data)
{
	struct vcpu *vcpu = data;

	for (;;) {
		if (must_pause()) {
			finish_instruction(vcpu);
			wait_to_run();
		}
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0)
			run_failed(vcpu, errno);
		else
			handle_exit(vcpu);
	}
	return NULL;
}

void vcpus_start(void)
{
	struct sigaction action = { .sa_handler = kicked };
	sigset_t all, before;
	int ret;

	sigaction(SIGNAL_KICK, &action, NULL);
	/* Other signals are for the main thread. */
	sigfillset(&all);
	sigdelset(&all, SIGNAL_KICK);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (unsigned int i = 0; i < machine.options->nb_cpus; i++) {
		ret = pthread_create(&threads[i], NULL, vcpu_thread, &machine.vcpus[i]);
		if (ret)
			die(VMM_EXIT_FAILED, "no thread for a vCPU: %s", strerror(ret));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	vcpus_pause();
}

void vcpu_create(struct vcpu *vcpu, unsigned int id)
{
	int size = ioctl(machine.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct cpu_failure failure;

	vcpu->id = id;
	vcpu->fd = ioctl(machine.vm, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0 || size < 0)
		die(VMM_EXIT_FAILED, "vCPU %u cannot be made: %s", id, strerror(errno));
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED ||
	    cpu_set_cpuid(machine.kvm, vcpu, machine.options->nb_cpus) < 0 ||
	    (!id && cpu_find_msrs(machine.kvm, vcpu) < 0))
		die(VMM_EXIT_FAILED, "vCPU %u cannot be set up: %s", id, strerror(errno));
	vcpu->run->immediate_exit = 1;
	vcpu->reset_state = malloc(sizeof(*vcpu->reset_state));
	if (!vcpu->reset_state)
		die(VMM_EXIT_FAILED, "no memory");
	if (cpu_save(vcpu, vcpu->reset_state, &failure) < 0)
		die(VMM_EXIT_FAILED, "vCPU %u: its %s cannot be read: %s", id, failure.what,
		    strerror(failure.error));
}
