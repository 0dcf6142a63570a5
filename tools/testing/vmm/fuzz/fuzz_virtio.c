// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's MMIO transport and its virtio-mem device under libFuzzer: a driver that
 * reads and writes any register, has anything in its memory and makes any requests. The
 * memory behind the device is not that of a VM: what is not plugged, ASan guards.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "machine.h"
#include "input.h"
#include "steps.h"

#define RAM_SIZE	(16 * KIB)
#define DESC		0
#define AVAIL		(4 * KIB)
#define USED		(8 * KIB)
#define REQUEST		(12 * KIB)
#define REGION		(4 * GIB)
#define BLOCK_SIZE	(4 * KIB)
#define NB_BLOCKS	8
#define ALL_PLUGGED	((1U << NB_BLOCKS) - 1)

/* Of the run. */
static struct {
	struct input *input;
	struct guest_memory memory;
	struct vmem *vmem;
	char *ram, *blocks;
	uint32_t plugged;		/* A bit for each block. */
	uint64_t requested_size;
	bool host_fails;
	bool stopped;
} run;

void die(enum vmm_exit status, const char *format, ...)
{
	abort();
}

void machine_stop(enum vmm_exit status, const char *format, ...)
{
	must(run.host_fails);
	run.stopped = true;
}

int loop_add_eventfd(struct loop_source *source)
{
	source->fd = -1;
	return 0;
}

void eventfd_clear(int fd)
{
}

void eventfd_signal(int fd)
{
}

static void set_plugged(uint32_t plugged)
{
	run.plugged = plugged;
	for (unsigned int i = 0; i < NB_BLOCKS; i++) {
		if (plugged & 1U << i)
			ASAN_UNPOISON_MEMORY_REGION(run.blocks + i * BLOCK_SIZE, BLOCK_SIZE);
		else
			ASAN_POISON_MEMORY_REGION(run.blocks + i * BLOCK_SIZE, BLOCK_SIZE);
	}
}

static void back_end_open(struct vmem *vmem, int vm_fd)
{
	vmem->hva = run.blocks;
}

/* The blocks of a range as bits, or 0 if the range is none. */
static uint32_t blocks_of(uint64_t addr, uint64_t nb)
{
	uint64_t first = (addr - REGION) / BLOCK_SIZE;

	if (addr < REGION || addr % BLOCK_SIZE || !nb || first >= NB_BLOCKS ||
	    nb > NB_BLOCKS - first)
		return 0;
	return ((1U << nb) - 1) << first;
}

static int back_end_handle(struct vmem *vmem, const struct virtio_mem_req *request,
			   struct virtio_mem_resp *response)
{
	uint32_t blocks = blocks_of(request->u.plug.addr, request->u.plug.nb_blocks);

	if (run.host_fails)
		return -EIO;
	response->type = VIRTIO_MEM_RESP_ERROR;
	switch (request->type) {
	case VIRTIO_MEM_REQ_PLUG:
	case VIRTIO_MEM_REQ_UNPLUG:
		if (!blocks)
			return 0;
		set_plugged(request->type == VIRTIO_MEM_REQ_PLUG ? run.plugged | blocks :
								   run.plugged & ~blocks);
		break;
	case VIRTIO_MEM_REQ_UNPLUG_ALL:
		set_plugged(vmem->mode == VMEM_STATIC ? ALL_PLUGGED : 0);
		break;
	case VIRTIO_MEM_REQ_STATE:
		break;
	default:
		return -EPROTO;
	}
	response->type = VIRTIO_MEM_RESP_ACK;
	return 0;
}

static void back_end_get_config(struct vmem *vmem, struct virtio_mem_config *config)
{
	*config = (struct virtio_mem_config){
		.block_size = BLOCK_SIZE, .addr = REGION, .region_size = NB_BLOCKS * BLOCK_SIZE,
		.requested_size = run.requested_size,
	};
}

static bool back_end_is_plugged(struct vmem *vmem, uint64_t gpa, uint64_t size)
{
	uint64_t first = gpa & -BLOCK_SIZE, end = align_up(gpa + size, BLOCK_SIZE);
	uint32_t blocks = blocks_of(first, (end - first) / BLOCK_SIZE);

	must(gpa >= REGION && size <= NB_BLOCKS * BLOCK_SIZE);
	return blocks && (run.plugged & blocks) == blocks;
}

#define BACK_END { \
	.open = back_end_open, .handle = back_end_handle, \
	.get_config = back_end_get_config, .is_plugged = back_end_is_plugged, \
}

const struct vmem_ops vmem_group_ops = BACK_END, vmem_user_ops = BACK_END;

static bool accessible(void *owner, uint64_t gpa, uint64_t size)
{
	return run.vmem->ops->is_plugged(run.vmem, gpa, size);
}

static void write_register(uint32_t offset, uint32_t value)
{
	virtio_write(&run.vmem->device, offset, &value, sizeof(value));
}

/* Of the configuration there is what the back end says, and nothing behind it. */
static void check_config(uint16_t offset, const char *data, uint32_t width)
{
	char config[VIRTIO_MMIO_SIZE] = { 0 };
	size_t size = sizeof(struct virtio_mem_config);

	back_end_get_config(run.vmem, (void *)config);
	if (offset >= size || width > size - offset)
		memset(config + offset, 0, width);
	must(!memcmp(data, config + offset, width));
}

static void read_register(uint16_t offset, uint32_t width)
{
	char *data = exactly(width);

	virtio_read(&run.vmem->device, offset, data, width);
	if (offset >= VIRTIO_MMIO_CONFIG)
		check_config(offset - VIRTIO_MMIO_CONFIG, data, width);
	free(data);
}

/* As KVM has it, which does not go beyond a page. */
static void access_register(void)
{
	uint16_t offset = take16(run.input);
	uint8_t width = take8(run.input);
	uint64_t value = take64(run.input);

	width = 1 << width % 4;
	offset %= VIRTIO_MMIO_SIZE - width + 1;
	read_register(offset, width);
	virtio_write(&run.vmem->device, offset, &value, width);
}

static void write_memory(char *memory, size_t most)
{
	size_t offset = take16(run.input), size = take8(run.input);

	for (size_t i = 0; i < size; i++) {
		size_t at = (offset + i) % most;
		uint8_t byte = take8(run.input);

		if (memory == run.ram || run.plugged & 1U << at / BLOCK_SIZE)
			memory[at] = byte;
	}
}

/* What a driver does, in the order of 3.1.1. */
static void drive(uint8_t nb_entries)
{
	const uint32_t known = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	write_register(VIRTIO_MMIO_STATUS, 0);
	write_register(VIRTIO_MMIO_STATUS, known);
	for (uint32_t page = 0; page < 2; page++) {
		write_register(VIRTIO_MMIO_DRIVER_FEATURES_SEL, page);
		write_register(VIRTIO_MMIO_DRIVER_FEATURES,
			       run.vmem->device.offered >> (32 * page));
	}
	write_register(VIRTIO_MMIO_STATUS, known | VIRTIO_CONFIG_S_FEATURES_OK);
	write_register(VIRTIO_MMIO_QUEUE_NUM, nb_entries);
	write_register(VIRTIO_MMIO_QUEUE_DESC_LOW, DESC);
	write_register(VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	write_register(VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	write_register(VIRTIO_MMIO_QUEUE_READY, 1);
	write_register(VIRTIO_MMIO_STATUS, known | VIRTIO_CONFIG_S_FEATURES_OK |
		       VIRTIO_CONFIG_S_DRIVER_OK);
	memset(run.ram + AVAIL, 0, sizeof(struct vring_avail));
}

/* A request in the first descriptors of the table, offered. */
static void request(void)
{
	struct virtio_mem_req *req = (void *)(run.ram + REQUEST);
	struct vring_desc *desc = (void *)(run.ram + DESC);
	struct vring_avail *avail = (void *)(run.ram + AVAIL);
	uint32_t size = run.vmem->device.queue.size;
	uint16_t type = take16(run.input), last = 1;
	uint64_t block = take8(run.input), nb = take16(run.input);
	uint8_t flags = take8(run.input);

	*req = (struct virtio_mem_req){ .type = type };
	req->u.plug.addr = REGION + block * BLOCK_SIZE;
	req->u.plug.nb_blocks = nb;
	desc[0] = (struct vring_desc){ REQUEST, sizeof(*req), VRING_DESC_F_NEXT, 1 };
	if (flags & REQUEST_IN_TWO) {
		desc[0].len = 3;
		desc[1] = (struct vring_desc){
			REQUEST + 3, sizeof(*req) - 3, VRING_DESC_F_NEXT, 2,
		};
		last = 2;
	}
	desc[last] = (struct vring_desc){
		.addr = flags & REQUEST_IN_BLOCKS ? REGION + BLOCK_SIZE : REQUEST + KIB,
		.len = flags & REQUEST_SHORT ? 9 : sizeof(struct virtio_mem_resp),
		.flags = VRING_DESC_F_WRITE,
	};
	if (size && size <= VIRTQUEUE_MAX_SIZE)
		avail->ring[avail->idx++ % size] = 0;
}

static void step(enum virtio_step step)
{
	struct virtio_device *device = &run.vmem->device;
	uint8_t number;

	switch (step) {
	case VIRTIO_READ:
		read_register(take8(run.input) * 4, 4);
		break;
	case VIRTIO_WRITE:
		number = take8(run.input);
		write_register(number * 4, take32(run.input));
		break;
	case VIRTIO_ACCESS:
		access_register();
		break;
	case VIRTIO_RAM:
		write_memory(run.ram, RAM_SIZE);
		break;
	case VIRTIO_BLOCKS:
		write_memory(run.blocks, NB_BLOCKS * BLOCK_SIZE);
		break;
	case VIRTIO_NOTIFY:
		device->notification.handle(&device->notification, 0);
		break;
	case VIRTIO_RESET:
		virtio_reset(device);
		break;
	case VIRTIO_RESIZE:
		run.requested_size = take8(run.input) * BLOCK_SIZE;
		vmem_requested_size_changed(run.vmem);
		break;
	case VIRTIO_DRIVE:
		drive(take8(run.input));
		break;
	default:
		request();
	}
	must(!device->queue.ready ||
	     (device->queue.size && device->queue.size <= VIRTQUEUE_MAX_SIZE));
	must(!(device->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	     !(device->accepted & ~device->offered));
}

static void begin(struct input *input)
{
	const struct vmem_options options = {
		.size = NB_BLOCKS * BLOCK_SIZE, .block_size = BLOCK_SIZE, .addr = REGION,
	};
	uint8_t kind = take8(input);

	memset(&run, 0, sizeof(run));
	run.input = input;
	run.ram = calloc(1, RAM_SIZE);
	run.blocks = calloc(NB_BLOCKS, BLOCK_SIZE);
	run.host_fails = kind & 2;
	run.vmem = vmem_new(&options, kind & 1 ? VMEM_STATIC : VMEM_GROUP, -1, 0);
	memory_add(&run.memory, &(struct memory_range){ 0, RAM_SIZE, run.ram });
	memory_add(&run.memory, &(struct memory_range){
		REGION, NB_BLOCKS * BLOCK_SIZE, run.blocks, accessible,
	});
	set_plugged(kind & 1 ? ALL_PLUGGED : 0);
	/* There is no VM to tell of it. */
	virtio_init(&run.vmem->device, -1, &run.memory, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	begin(&input);
	while (input.size && !run.stopped)
		step(take8(&input) % VIRTIO_NB_STEPS);
	set_plugged(ALL_PLUGGED);
	close(run.vmem->device.interrupt);
	free(run.vmem);
	free(run.blocks);
	free(run.ram);
	return 0;
}
