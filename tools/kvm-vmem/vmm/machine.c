// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "acpi.h"
#include "boot.h"
#include "cpu_state.h"
#include "loop.h"
#include "machine.h"
#include "migrate.h"
#include "rng.h"
#include "serial.h"

/* Pages that KVM wants for itself on Intel, below the BIOS. */
#define TSS_ADDRESS 0xfffbd000
#define IDENTITY_MAP_ADDRESS 0xfffbc000ULL
/* Memslots: boot RAM below and above the hole, then virtio-mem in user space. */
#define FIRST_VMEM_MEMSLOT 2

#define NB_IRQCHIPS 3

struct machine machine;

static struct boot_file kernel, initrd;
static struct kvm_irqchip irqchips[NB_IRQCHIPS];
static struct loop_source reset_wanted;

/* The first of several that want to end it decides how. */
static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;
static bool stopped;

void machine_stop(enum vmm_exit status, const char *format, ...)
{
	char text[256];
	va_list arguments;

	pthread_mutex_lock(&stop_lock);
	if (!stopped) {
		stopped = true;
		machine.exit_status = status;
		if (format) {
			va_start(arguments, format);
			vsnprintf(text, sizeof(text), format, arguments);
			va_end(arguments);
			complain("%s", text);
		}
	}
	pthread_mutex_unlock(&stop_lock);
	vcpus_ask_to_pause();
	loop_stop();
}

static bool is_stopped(void)
{
	bool ret;

	pthread_mutex_lock(&stop_lock);
	ret = stopped;
	pthread_mutex_unlock(&stop_lock);
	return ret;
}

void machine_violation(uint64_t gpa)
{
	machine_stop(VMM_EXIT_VIOLATION, "violation: guest accessed unplugged memory at 0x%llx",
		     (unsigned long long)gpa);
}

void machine_memory_failed(void)
{
	uint64_t gpa;

	for (unsigned int i = 0; i < machine.nb_vmems; i++) {
		struct vmem *vmem = machine.vmems[i];

		if (vmem->ops->violated && vmem->ops->violated(vmem, &gpa)) {
			machine_violation(gpa);
			return;
		}
	}
	machine_stop(VMM_EXIT_FAILED, "guest memory cannot be accessed: is the host out of it?");
}

void machine_request_reset(void)
{
	vcpus_ask_to_pause();
	eventfd_signal(reset_wanted.fd);
}

struct vmem *machine_vmem_at(uint64_t gpa)
{
	for (unsigned int i = 0; i < machine.nb_vmems; i++) {
		const struct vmem_options *options = &machine.vmems[i]->options;

		if (gpa >= options->addr && gpa - options->addr < options->size)
			return machine.vmems[i];
	}
	return NULL;
}

static void open_kvm(void)
{
	const __u64 identity_map = IDENTITY_MAP_ADDRESS;

	machine.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (machine.kvm < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		die(VMM_EXIT_FAILED, "there is no /dev/kvm: modprobe kvm_amd or kvm_intel");
	if (machine.kvm < 0 && errno == EACCES)
		die(VMM_EXIT_FAILED, "no permission for /dev/kvm: join the group kvm");
	if (machine.kvm < 0)
		die(VMM_EXIT_FAILED, "/dev/kvm: %s", strerror(errno));
	machine.vm = ioctl(machine.kvm, KVM_CREATE_VM, 0);
	if (machine.vm < 0)
		die(VMM_EXIT_FAILED, "KVM makes no VM: %s", strerror(errno));
	if (ioctl(machine.vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0 ||
	    ioctl(machine.vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
	    ioctl(machine.vm, KVM_CREATE_IRQCHIP, 0) < 0)
		die(VMM_EXIT_FAILED, "KVM has no interrupt controllers: %s", strerror(errno));
}

static void add_ram(char *hva, uint32_t memslot, uint64_t gpa, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = memslot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	if (!size)
		return;
	if (ioctl(machine.vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		die(VMM_EXIT_FAILED, "KVM refuses boot memory: %s", strerror(errno));
	memory_add(&machine.memory, &(struct memory_range){ .gpa = gpa, .size = size, .hva = hva });
}

static void create_ram(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	const uint64_t size = machine.options->memory_size;
	char *hva = memory_reserve(size, 2 * MIB);

	if (!hva || mmap(hva, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		die(VMM_EXIT_FAILED, "no memory for the guest: %s", strerror(errno));
	/* Without CONFIG_TRANSPARENT_HUGEPAGE it is refused, and all is well. */
	madvise(hva, size, machine.options->huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	madvise(hva, size, MADV_DONTDUMP);

	machine.ram_size = size < RAM_LOW_END ? size : RAM_LOW_END;
	machine.high_ram_size = size - machine.ram_size;
	add_ram(hva, 0, 0, machine.ram_size);
	add_ram(hva + machine.ram_size, 1, RAM_HIGH_START, machine.high_ram_size);
}

static void add_device(struct virtio_device *device)
{
	int ret = virtio_init(device, machine.vm, &machine.memory, machine.nb_devices);

	if (ret < 0)
		die(VMM_EXIT_FAILED, "a device cannot be made: %s", strerror(-ret));
	machine.devices[machine.nb_devices++] = device;
}

static bool vmem_accessible(void *owner, uint64_t gpa, uint64_t size)
{
	struct vmem *vmem = owner;

	return vmem->ops->is_plugged(vmem, gpa, size);
}

/*
 * Behind all memory that there is, unless the user says where. Aligned so that
 * any page that KVM has can be used.
 */
static void place_vmem(struct vmem_options *options, uint64_t *free, unsigned int physical_bits)
{
	const uint64_t alignment = options->block_size > GIB ? options->block_size : GIB;
	const uint64_t most = 1ULL << physical_bits;

	if (!options->addr)
		options->addr = align_up(*free, alignment);
	if (options->addr < *free)
		die(VMM_EXIT_USAGE, "--vmem %s: at 0x%llx there is other memory, up to 0x%llx",
		    options->label, (unsigned long long)options->addr, (unsigned long long)*free);
	if (options->addr >= most || options->size > most - options->addr)
		die(VMM_EXIT_USAGE, "--vmem %s: the CPU has %u bits of physical addresses, too few",
		    options->label, physical_bits);
	*free = options->addr + options->size;
}

static void create_vmems(void)
{
	const unsigned int physical_bits = cpu_physical_bits(machine.kvm);
	uint64_t free = RAM_HIGH_START + machine.high_ram_size;

	for (unsigned int i = 0; i < machine.options->nb_vmems; i++) {
		struct vmem_options options = machine.options->vmems[i];
		struct vmem *vmem;

		place_vmem(&options, &free, physical_bits);
		vmem = vmem_new(&options, machine.options->mode, machine.vm,
				FIRST_VMEM_MEMSLOT + i * VMEM_MAX_MEMSLOTS);
		memory_add(&machine.memory, &(struct memory_range){
			.gpa = vmem->options.addr,
			.size = vmem->options.size,
			.hva = vmem->hva,
			.accessible = vmem_accessible,
			.owner = vmem,
		});
		machine.vmems[machine.nb_vmems++] = vmem;
		add_device(&vmem->device);
	}
}

static void save_irqchips(void)
{
	for (unsigned int i = 0; i < NB_IRQCHIPS; i++) {
		irqchips[i].chip_id = i;
		if (ioctl(machine.vm, KVM_GET_IRQCHIP, &irqchips[i]) < 0)
			die(VMM_EXIT_FAILED, "KVM_GET_IRQCHIP: %s", strerror(errno));
	}
}

static void create_vcpus(void)
{
	machine.vcpus = calloc(machine.options->nb_cpus, sizeof(*machine.vcpus));
	if (!machine.vcpus)
		die(VMM_EXIT_FAILED, "no memory");
	for (unsigned int i = 0; i < machine.options->nb_cpus; i++)
		vcpu_create(&machine.vcpus[i], i);
}

static void reset_machine(void)
{
	struct cpu_failure failure;
	int ret = 0;

	/* All memory is unplugged, and what was sent of it is of no use. */
	migrate_abort("the guest reboots");
	vcpus_pause();
	for (unsigned int i = 0; i < machine.nb_devices; i++)
		virtio_reset(machine.devices[i]);
	serial_reset();
	for (unsigned int i = 0; i < machine.nb_vmems && ret == 0; i++)
		ret = machine.vmems[i]->ops->reset(machine.vmems[i]);
	for (unsigned int i = 0; i < NB_IRQCHIPS && ret == 0; i++)
		if (ioctl(machine.vm, KVM_SET_IRQCHIP, &irqchips[i]) < 0)
			ret = -errno;
	for (unsigned int i = 0; i < machine.options->nb_cpus && ret == 0; i++)
		ret = cpu_restore(&machine.vcpus[i], machine.vcpus[i].reset_state, &failure);
	if (ret < 0) {
		machine_stop(VMM_EXIT_FAILED, "the machine cannot be reset: %s", strerror(-ret));
		return;
	}
	machine_boot();
	vcpus_resume();
}

static void reset_event(struct loop_source *source, uint32_t events)
{
	(void)events;
	eventfd_clear(source->fd);
	/* The end, should both be wanted. */
	if (!is_stopped())
		reset_machine();
}

static void read_boot_file(const char *path, struct boot_file *file)
{
	int ret = boot_read_file(path, machine.options->memory_size, file);

	if (ret == -EFBIG)
		die(VMM_EXIT_USAGE, "%s: is no file, or does not fit into --memory", path);
	if (ret < 0)
		die(VMM_EXIT_USAGE, "%s: %s", path, strerror(-ret));
}

void machine_create(const struct options *options)
{
	struct boot_kernel unused;
	const char *wrong;
	int ret;

	machine.options = options;
	/* First what the user may have done wrong. */
	read_boot_file(options->kernel, &kernel);
	if (options->initrd)
		read_boot_file(options->initrd, &initrd);
	wrong = boot_inspect(&kernel, options->memory_size < RAM_LOW_END ?
			     options->memory_size : RAM_LOW_END, &unused);
	if (wrong)
		die(VMM_EXIT_USAGE, "%s %s", options->kernel, wrong);

	open_kvm();
	create_ram();
	create_vmems();
	if (options->rng)
		add_device(rng_new());
	reset_wanted.handle = reset_event;
	ret = loop_add_eventfd(&reset_wanted);
	if (ret == 0)
		ret = serial_create(machine.vm);
	if (ret < 0)
		die(VMM_EXIT_FAILED, "a device cannot be made: %s", strerror(-ret));
	create_vcpus();
	save_irqchips();
}

static uint64_t write_acpi_tables(void)
{
	struct acpi_memory nodes[2 + OPTIONS_MAX_VMEMS];
	unsigned int nb = 0;

	nodes[nb++] = (struct acpi_memory){ .size = machine.ram_size };
	if (machine.high_ram_size)
		nodes[nb++] = (struct acpi_memory){
			.gpa = RAM_HIGH_START,
			.size = machine.high_ram_size,
		};
	for (unsigned int i = 0; i < machine.nb_vmems; i++) {
		const struct vmem_options *options = &machine.vmems[i]->options;

		nodes[nb++] = (struct acpi_memory){
			.gpa = options->addr,
			.size = options->size,
			.node = options->node >= 0 ? options->node : 0,
			.hotplug = true,
		};
	}
	return acpi_write_tables(&machine.memory, machine.options->nb_cpus, nodes, nb);
}

void machine_boot(void)
{
	const struct boot_layout layout = {
		.ram_size = machine.ram_size,
		.high_ram_size = machine.high_ram_size,
		.rsdp = write_acpi_tables(),
	};
	struct boot_entry entry;
	const char *wrong;
	int ret;

	wrong = boot_load(&machine.memory, &layout, &kernel, &initrd, machine.options->append,
			  &entry);
	if (wrong)
		die(VMM_EXIT_USAGE, "%s %s", machine.options->kernel, wrong);
	ret = cpu_enter_64bit(&machine.vcpus[0], entry.rip, entry.boot_params, entry.page_tables);
	if (ret < 0)
		die(VMM_EXIT_FAILED, "KVM refuses the first vCPU's state: %s", strerror(-ret));
}

/* What devices had to do when they were saved. */
static void go_on(void)
{
	struct virtio_mem_config config;

	for (unsigned int i = 0; i < machine.nb_devices; i++)
		virtio_go_on(machine.devices[i]);
	for (unsigned int i = 0; i < machine.nb_vmems; i++) {
		machine.vmems[i]->ops->get_config(machine.vmems[i], &config);
		/* The guest may have been told BUSY, and would wait for a minute. */
		if (config.plugged_size != config.requested_size)
			vmem_requested_size_changed(machine.vmems[i]);
	}
	serial_go_on();
	vcpus_go_on();
}

enum vmm_exit machine_run(bool restored)
{
	serial_set_terminal();
	vcpus_start();
	if (restored)
		go_on();
	else
		vcpus_resume();
	loop_run();
	migrate_end();
	return machine.exit_status;
}

bool machine_is_changing(void)
{
	struct pollfd wanted = { .fd = reset_wanted.fd, .events = POLLIN };

	return is_stopped() || poll(&wanted, 1, 0) == 1;
}
