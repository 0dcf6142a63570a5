// SPDX-License-Identifier: GPL-2.0
/*
 * A VM that does a little of everything, for the bpftrace scripts to see: it is asked to
 * have 64 MiB, plugs them in two requests, asks for more, gives all back in three, and
 * touches what it gave back. There is no guest; this plays its part.
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <kvm-vmem.h>

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define ADDR (4 * GIB)
#define BLOCK (2 * MIB)

static int dev;

static void request(unsigned int type, uint64_t block, unsigned int nb, unsigned int expected)
{
	struct virtio_mem_req req = {
		.type = htole16(type),
		/* All requests with a range have it in the same place. */
		.u.plug.addr = htole64(ADDR + block * BLOCK),
		.u.plug.nb_blocks = htole16(nb),
	};
	struct virtio_mem_resp resp;
	int ret = kvm_vmem_handle_request(dev, &req, &resp);

	if (ret || le16toh(resp.type) != expected)
		errx(1, "type %u: %d, response %u", type, ret, le16toh(resp.type));
}

static void ask_for(uint64_t size)
{
	if (kvm_vmem_set_requested_size(dev, size))
		errx(1, "cannot be asked for %" PRIu64, size);
}

/* The device's file in sysfs. */
static FILE *device_file(unsigned int id, const char *name, const char *mode)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/kvm_vmem/vmem%u/%s", id, name);
	file = fopen(path, mode);
	if (!file)
		err(1, "%s", path);
	return file;
}

static void wait_until_freed(unsigned int id)
{
	unsigned long long pending;
	FILE *file;

	do {
		usleep(10000);
		file = device_file(id, "discard_pending", "r");
		if (fscanf(file, "%llu", &pending) != 1)
			errx(1, "discard_pending is no number");
		fclose(file);
	} while (pending);
}

static void retire(unsigned int id)
{
	FILE *file = device_file(id, "retire", "w");

	if (fputs("1", file) < 0 || fclose(file))
		err(1, "idle memslots stay");
}

static void set_up(struct kvm_vmem_setup *setup, void **memory)
{
	struct kvm_vmem_attach attach = {
		.first_memslot_id = KVM_VMEM_MEMSLOT_ID_AUTO,
		.address_spaces = 1,
	};
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	dev = kvm_vmem_open();
	if (kvm < 0 || dev < 0)
		err(1, "no KVM, or no kvm-vmem");
	attach.vm_fd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (attach.vm_fd < 0 || kvm_vmem_setup(dev, setup) ||
	    kvm_vmem_map(dev, setup->region_size, memory))
		errx(1, "no device");
	attach.userspace_addr = (uintptr_t)*memory;
	if (kvm_vmem_attach(dev, &attach))
		errx(1, "no device in the VM");
}

int main(void)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS | KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE,
		.addr = ADDR,
		.region_size = 16 * GIB,
		.block_size = BLOCK,
		.backing_fd = -1,
		.label = "activity",
	};
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	void *memory;

	if (zero < 0)
		err(1, "/dev/zero");
	set_up(&setup, &memory);
	ask_for(64 * MIB);
	request(VIRTIO_MEM_REQ_PLUG, 0, 16, VIRTIO_MEM_RESP_ACK);
	request(VIRTIO_MEM_REQ_PLUG, 16, 16, VIRTIO_MEM_RESP_ACK);
	request(VIRTIO_MEM_REQ_PLUG, 32, 1, VIRTIO_MEM_RESP_NACK);
	memset(memory, 1, 32 * BLOCK);
	ask_for(0);
	request(VIRTIO_MEM_REQ_UNPLUG, 16, 16, VIRTIO_MEM_RESP_ACK);
	request(VIRTIO_MEM_REQ_UNPLUG, 8, 8, VIRTIO_MEM_RESP_ACK);
	request(VIRTIO_MEM_REQ_UNPLUG, 0, 8, VIRTIO_MEM_RESP_ACK);
	if (read(zero, memory, 1) != -1 || read(zero, (char *)memory + 4096, 1) != -1 ||
	    read(zero, memory, 1) != -1)
		errx(1, "unplugged memory can be written to");
	wait_until_freed(setup.out_id);
	retire(setup.out_id);
	return 0;
}
