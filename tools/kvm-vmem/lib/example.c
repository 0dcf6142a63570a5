// SPDX-License-Identifier: MIT
/*
 * A memory device for a VMM, to paste: struct memory_device and its functions.
 * main() stands for the VMM and for its guest.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <kvm-vmem.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MiB (1ULL << 20)
#define GiB (1ULL << 30)

/**
 * struct memory_device - what a VMM keeps of a virtio-mem device
 * @fd: The device; -1 if there is none
 * @config_changed: Readable when the guest is to be notified of a change of the
 *	configuration space
 * @memory: The region in this process
 * @region_size: Its size
 */
struct memory_device {
	int fd;
	int config_changed;
	void *memory;
	uint64_t region_size;
};

void memory_device_destroy(struct memory_device *dev)
{
	if (dev->memory)
		munmap(dev->memory, dev->region_size);
	if (dev->config_changed >= 0)
		close(dev->config_changed);
	if (dev->fd >= 0)
		close(dev->fd);
}

static int connect_to_vm(struct memory_device *dev, int vm_fd)
{
	struct kvm_vmem_attach attach = {
		.vm_fd = vm_fd,
		.first_memslot_id = KVM_VMEM_MEMSLOT_ID_AUTO,
		.address_spaces = 1,
	};
	int ret = kvm_vmem_map(dev->fd, dev->region_size, &dev->memory);

	if (ret)
		return ret;
	attach.userspace_addr = (uintptr_t)dev->memory;
	ret = kvm_vmem_attach(dev->fd, &attach);
	if (ret)
		return ret;
	dev->config_changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->config_changed < 0)
		return -errno;
	return kvm_vmem_set_eventfd(dev->fd, KVM_VMEM_EVENT_CONFIG,
				    dev->config_changed);
}

/*
 * Before the VM runs, or by hotplug. The VMM then offers a virtio device 24 with
 * VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE, refuses a driver that does not accept that
 * feature, and tells neither firmware nor guest of memory at addr.
 */
int memory_device_create(struct memory_device *dev, int vm_fd,
			 const char *label, uint64_t addr, uint64_t region_size)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
			 KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE,
		.addr = addr,
		.region_size = region_size,
		.backing_fd = -1,
	};
	int ret;

	snprintf((char *)setup.label, sizeof(setup.label), "%s", label);
	memset(dev, 0, sizeof(*dev));
	dev->region_size = region_size;
	dev->config_changed = -1;
	dev->fd = kvm_vmem_open();
	if (dev->fd < 0)
		return dev->fd;
	ret = kvm_vmem_setup(dev->fd, &setup);
	if (!ret)
		ret = connect_to_vm(dev, vm_fd);
	if (ret)
		memory_device_destroy(dev);
	return ret;
}

/*
 * For a buffer of the guest-request queue: its readable part and its writable part,
 * which the VMM has found to be as large as these structures, and in guest memory.
 * Returns how much was written; 0: set DEVICE_NEEDS_RESET.
 */
size_t memory_device_request(struct memory_device *dev,
			     const struct virtio_mem_req *req,
			     struct virtio_mem_resp *resp)
{
	int ret = kvm_vmem_handle_request(dev->fd, req, resp);

	if (ret == -EPROTO)
		return 0;
	if (ret)
		fprintf(stderr, "memory device: %s\n", strerror(-ret));
	return sizeof(*resp);
}

/*
 * When config_changed is readable. Returns whether to raise the configuration
 * change interrupt; the guest then reads the configuration space.
 */
int memory_device_config_changed(struct memory_device *dev)
{
	uint64_t times;

	return read(dev->config_changed, &times, sizeof(times)) ==
	       sizeof(times);
}

/* The configuration space, at any time; the guest may only read it. */
int memory_device_read_config(struct memory_device *dev, size_t offset,
			      void *data, size_t len)
{
	struct virtio_mem_config config;
	int ret = kvm_vmem_get_config(dev->fd, &config);

	if (ret)
		return ret;
	if (offset > sizeof(config) || len > sizeof(config) - offset)
		return -EINVAL;
	memcpy(data, (const char *)&config + offset, len);
	return 0;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error));
	return 1;
}

/* The operator asks for 64 MiB, and the guest plugs them at once. */
static int play(struct memory_device *dev)
{
	struct virtio_mem_config config;
	struct virtio_mem_req req = { .type = htole16(VIRTIO_MEM_REQ_PLUG) };
	struct virtio_mem_resp resp;
	int ret = kvm_vmem_set_requested_size(dev->fd, 64 * MiB);

	if (ret)
		return fail("cannot request 64 MiB", -ret);
	if (!memory_device_config_changed(dev))
		return fail("the guest was not to be notified", EPROTO);
	ret = memory_device_read_config(dev, 0, &config, sizeof(config));
	if (ret)
		return fail("cannot read the configuration", -ret);
	req.u.plug.addr = config.addr;
	req.u.plug.nb_blocks = htole16(le64toh(config.requested_size) /
				       le64toh(config.block_size));
	if (!memory_device_request(dev, &req, &resp) ||
	    resp.type != htole16(VIRTIO_MEM_RESP_ACK))
		return fail("the request was refused", EPROTO);
	memset(dev->memory, 1, 64 * MiB);
	puts("64 MiB plugged and written");
	return 0;
}

int main(void)
{
	struct memory_device dev;
	int kvm, vm, ret;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return fail("/dev/kvm", errno);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return fail("KVM_CREATE_VM", errno);
	ret = memory_device_create(&dev, vm, "example", 4 * GiB, 1024 * GiB);
	if (ret)
		return fail("/dev/kvm-vmem", -ret);
	ret = play(&dev);
	memory_device_destroy(&dev);
	close(vm);
	close(kvm);
	return ret;
}
