// SPDX-License-Identifier: GPL-2.0
/* The module as a target: a process with VMs, slots, and the operator's rights. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"

#define DEFAULT_LIMIT		4096
#define DEFAULT_BACKLOG		1024
/* No memslot retires unless it is asked to. */
#define DEFAULT_RETIRE_DELAY	600000

static void set_parameter(const char *name, uint64_t value, struct answer *answer)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	answer_return(answer, parameter_write(name, text));
}

static void host_open_device(struct host *host, const struct op *op, struct answer *answer)
{
	struct host_slot *slot = &host->slots[op->slot];

	slot->dev = vmem_open();
	if (!answer_return(answer, slot->dev))
		slot->dev = -1;
	else if (fcntl(slot->dev, F_SETFL, O_NONBLOCK))
		answer_error(answer, errno);
}

static void close_device(struct host_slot *slot)
{
	if (slot->bitmap >= 0)
		close(slot->bitmap);
	if (slot->dev >= 0)
		close(slot->dev);
	slot->bitmap = -1;
	slot->dev = -1;
	slot->id = -1;
	slot->vm = NULL;
}

static void host_close_device(struct host *host, const struct op *op, struct answer *answer)
{
	(void)answer;
	close_device(&host->slots[op->slot]);
}

/* Devices that are attached to it keep the old one; no guest runs there any more. */
static void host_vm(struct host *host, const struct op *op, struct answer *answer)
{
	struct vm *vm = &host->vms[op->args[VM_VM]];
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++)
		if (host->slots[i].vm == vm)
			host->slots[i].vm = NULL;
	vm_destroy(vm);
	answer_return(answer, vm_create(vm, host->nr_vcpus));
}

static void host_own(struct host *host, const struct op *op, struct answer *answer)
{
	answer_return(answer, vm_set_memslot(host->vms[op->args[OWN_VM]].fd, op->args[OWN_ID],
					     host->slots[op->slot].addr + op->args[OWN_OFFSET],
					     MEMORY_PAGE, host->page));
}

static void host_disown(struct host *host, const struct op *op, struct answer *answer)
{
	answer_return(answer, vm_set_memslot(host->vms[op->args[DISOWN_VM]].fd,
					     op->args[DISOWN_ID], 0, 0, host->page));
}

static void host_limit(struct host *host, const struct op *op, struct answer *answer)
{
	(void)host;
	set_parameter("memslot_limit", op->args[LIMIT_LIMIT], answer);
}

static void host_backlog(struct host *host, const struct op *op, struct answer *answer)
{
	(void)host;
	set_parameter("discard_backlog", op->args[BACKLOG_MIB], answer);
}

static void (*const functions[NR_OPS])(struct host *host, const struct op *op,
				       struct answer *answer) = {
	[OP_VM] = host_vm,
	[OP_OWN] = host_own,
	[OP_DISOWN] = host_disown,
	[OP_LIMIT] = host_limit,
	[OP_BACKLOG] = host_backlog,
	[OP_OPEN] = host_open_device,
	[OP_CLOSE] = host_close_device,
	[OP_MEMORY] = host_memory,
	[OP_SEAL] = host_seal,
	[OP_SETUP] = host_setup,
	[OP_MAP] = host_map,
	[OP_UNMAP] = host_unmap,
	[OP_ATTACH] = host_attach,
	[OP_PLUG] = host_request,
	[OP_UNPLUG] = host_request,
	[OP_UNPLUG_ALL] = host_request,
	[OP_REPLUG] = host_request,
	[OP_STATE] = host_request,
	[OP_RESET] = host_action,
	[OP_REQUESTED] = host_requested,
	[OP_REQUESTED_TEXT] = host_write_sysfs,
	[OP_PREPARE_REMOVE] = host_action,
	[OP_RETIRE_DELAY] = host_write_sysfs,
	[OP_RETIRE] = host_write_sysfs,
	[OP_EVENTFD] = host_eventfd,
	[OP_EVENTS] = host_events,
	[OP_READ] = host_read,
	[OP_POLL] = host_poll,
	[OP_CONFIG] = host_config,
	[OP_INFO] = host_info,
	[OP_MEMSLOTS] = host_memslots,
	[OP_BITMAP] = host_bitmap,
	[OP_SYSFS] = host_sysfs,
	[OP_SETTLE] = host_settle,
	[OP_WRITE_WORDS] = host_words,
	[OP_READ_WORDS] = host_words,
	[OP_DISCARD] = host_discard,
	[OP_LSEEK] = host_lseek,
	[OP_FREEZE] = host_action,
	[OP_THAW] = host_action,
	[OP_GET_BITMAP] = host_get_bitmap,
	[OP_SET_BITMAP] = host_set_bitmap,
	[OP_DIRTY_LOG] = host_action,
	[OP_GET_DIRTY_LOG] = host_get_dirty_log,
};

static void host_run(void *self, const struct op *op, struct answer *answer)
{
	bool comes_or_goes = op->kind == OP_OPEN || op->kind == OP_SETUP || op->kind == OP_CLOSE;
	struct host *host = self;

	answer_clear(answer);
	if (comes_or_goes)
		pthread_mutex_lock(&host->slots[op->slot].lock);
	functions[op->kind](host, op, answer);
	if (comes_or_goes)
		pthread_mutex_unlock(&host->slots[op->slot].lock);
}

static void reset_slot(struct host_slot *slot)
{
	unsigned int i;

	close_device(slot);
	for (i = 0; i < NR_MAPPINGS; i++)
		host_drop_mapping(slot, i);
	for (i = 0; i < NR_EVENTFDS; i++)
		close(slot->eventfds[i]);
	pthread_mutex_destroy(&slot->lock);
}

static int create_slot(struct host_slot *slot, unsigned int vcpu)
{
	unsigned int i;

	memset(slot, 0, sizeof(*slot));
	slot->dev = -1;
	slot->id = -1;
	slot->bitmap = -1;
	slot->vcpu = vcpu;
	pthread_mutex_init(&slot->lock, NULL);
	for (i = 0; i < NR_EVENTFDS; i++) {
		slot->eventfds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (slot->eventfds[i] < 0)
			return -errno;
	}
	return 0;
}

static int set_parameters(void)
{
	struct answer answer = {};

	set_parameter("memslot_limit", DEFAULT_LIMIT, &answer);
	set_parameter("discard_backlog", DEFAULT_BACKLOG, &answer);
	set_parameter("retire_delay_ms", DEFAULT_RETIRE_DELAY, &answer);
	return answer.nr_errors ? -answer.errors[0] : 0;
}

static void destroy(struct host *host)
{
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++)
		reset_slot(&host->slots[i]);
	for (i = 0; i < NR_VMS; i++)
		vm_destroy(&host->vms[i]);
}

static int create(struct host *host)
{
	unsigned int i;
	int ret = set_parameters();

	for (i = 0; !ret && i < NR_VMS; i++)
		ret = vm_create(&host->vms[i], host->nr_vcpus);
	for (i = 0; !ret && i < NR_SLOTS; i++)
		ret = create_slot(&host->slots[i], i % host->nr_vcpus);
	return ret;
}

static int host_reset(void *self)
{
	destroy(self);
	return create(self);
}

static int learn_host(struct host *host, struct model_config *config)
{
	char huge[32];
	int ret = parameter_read("huge", huge, sizeof(huge));

	if (ret < 0)
		return ret;
	*config = (struct model_config){
		.huge = strcmp(huge, "never") && strcmp(huge, "advise"),
		.memslot_limit = DEFAULT_LIMIT,
		.backlog = DEFAULT_BACKLOG,
		.retire_delay = DEFAULT_RETIRE_DELAY,
	};
	ret = read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", huge, sizeof(huge));
	config->thp_size = ret < 0 ? MIB : strtoull(huge, NULL, 10);
	config->nr_memslot_ids = vm_check_extension(&host->vms[0], KVM_CAP_NR_MEMSLOTS);
	config->nr_address_spaces = vm_check_extension(&host->vms[0], KVM_CAP_MULTI_ADDRESS_SPACE);
	/* Beyond all that has an address; what lies between is not asked for. */
	config->max_gpa = 1ULL << 52;
	return 0;
}

int host_open(struct target *target, unsigned int nr_vcpus, const char **what)
{
	struct host *host = calloc(1, sizeof(*host));
	int ret;

	if (!host)
		return -ENOMEM;
	target->self = host;
	host->nr_vcpus = nr_vcpus;
	host->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	host->page = mmap(NULL, MEMORY_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	*what = "/dev/kvm, or kvm_vmem";
	ret = create(host);
	if (ret)
		return ret;
	*what = "the module's parameters";
	ret = learn_host(host, &target->config);
	if (ret)
		return ret;
	*what = "huge pages";
	ret = need_hugepages(128);
	if (ret)
		return ret;
	/*
	 * Private mappings of a region may be larger than the host's memory: whether it
	 * has that to spare is nothing of the device's.
	 */
	*what = "overcommitment of memory";
	ret = write_file("/proc/sys/vm/overcommit_memory", "1");
	target->patience_ms = PATIENCE_MS;
	target->reset = host_reset;
	target->run = host_run;
	target->watch = host_watch;
	return ret;
}

void host_close(struct target *target)
{
	struct host *host = target->self;

	destroy(host);
	munmap(host->page, MEMORY_PAGE);
	close(host->null);
	free(host);
}
