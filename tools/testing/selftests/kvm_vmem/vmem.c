// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "vmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21U << 26)
#endif

int vmem_ioctl(int dev, unsigned long cmd, void *arg)
{
	return ioctl(dev, cmd, arg) ? -errno : 0;
}

int vmem_open(void)
{
	int fd = open(VMEM_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int vmem_setup(int dev, struct kvm_vmem_setup *setup)
{
	setup->size = sizeof(*setup);
	return vmem_ioctl(dev, KVM_VMEM_SETUP, setup);
}

int vmem_attach(int dev, struct kvm_vmem_attach *attach)
{
	attach->size = sizeof(*attach);
	return vmem_ioctl(dev, KVM_VMEM_ATTACH, attach);
}

static int request_flags(int dev, unsigned long cmd, uint32_t flags,
			 uint64_t addr, uint32_t nb_blocks, uint16_t *state)
{
	struct kvm_vmem_request request = {
		.size = sizeof(request),
		.flags = flags,
		.addr = addr,
		.nb_blocks = nb_blocks,
		.out_response = 0xffff,
		.out_state = 0xffff,
	};
	int ret = vmem_ioctl(dev, cmd, &request);

	if (ret)
		return ret;
	if (state)
		*state = request.out_state;
	return request.out_response;
}

static int request(int dev, unsigned long cmd, uint64_t addr,
		   uint32_t nb_blocks, uint16_t *state)
{
	return request_flags(dev, cmd, 0, addr, nb_blocks, state);
}

int vmem_plug(int dev, uint64_t addr, uint32_t nb_blocks)
{
	return request(dev, KVM_VMEM_PLUG, addr, nb_blocks, NULL);
}

int vmem_unplug(int dev, uint64_t addr, uint32_t nb_blocks)
{
	return request(dev, KVM_VMEM_UNPLUG, addr, nb_blocks, NULL);
}

int vmem_unplug_sync(int dev, uint64_t addr, uint32_t nb_blocks)
{
	return request_flags(dev, nb_blocks ? KVM_VMEM_UNPLUG :
					      KVM_VMEM_UNPLUG_ALL,
			     KVM_VMEM_UNPLUG_SYNC, addr, nb_blocks, NULL);
}

int vmem_unplug_all(int dev)
{
	return request(dev, KVM_VMEM_UNPLUG_ALL, 0, 0, NULL);
}

int vmem_state(int dev, uint64_t addr, uint32_t nb_blocks, uint16_t *state)
{
	return request(dev, KVM_VMEM_STATE, addr, nb_blocks, state);
}

int vmem_get_config(int dev, struct kvm_vmem_get_config *config)
{
	memset(config, 0, sizeof(*config));
	config->size = sizeof(*config);
	return vmem_ioctl(dev, KVM_VMEM_GET_CONFIG, config);
}

int vmem_set_requested_size(int dev, uint64_t requested_size)
{
	struct kvm_vmem_set_requested_size arg = {
		.size = sizeof(arg),
		.requested_size = requested_size,
	};

	return vmem_ioctl(dev, KVM_VMEM_SET_REQUESTED_SIZE, &arg);
}

static int set_eventfd(int dev, uint32_t event, int fd, uint32_t flags)
{
	struct kvm_vmem_set_eventfd arg = {
		.size = sizeof(arg),
		.flags = flags,
		.event = event,
		.fd = fd,
	};

	return vmem_ioctl(dev, KVM_VMEM_SET_EVENTFD, &arg);
}

int vmem_add_eventfd(int dev, uint32_t event, int fd)
{
	return set_eventfd(dev, event, fd, 0);
}

int vmem_remove_eventfd(int dev, uint32_t event, int fd)
{
	return set_eventfd(dev, event, fd, KVM_VMEM_EVENTFD_DEASSIGN);
}

int vmem_get_info(int dev, struct kvm_vmem_get_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return vmem_ioctl(dev, KVM_VMEM_GET_INFO, info);
}

int vmem_get_memslots(int dev, struct kvm_vmem_memslot_info *memslots,
		      uint32_t nb_memslots)
{
	struct kvm_vmem_get_memslots arg = {
		.size = sizeof(arg),
		.nb_memslots = nb_memslots,
		.memslots = (uintptr_t)memslots,
	};
	int ret = vmem_ioctl(dev, KVM_VMEM_GET_MEMSLOTS, &arg);

	return ret ? ret : (int)arg.out_nb_memslots;
}

int vmem_get_bitmap(int dev, uint64_t first_block, uint64_t nb_blocks,
		    uint64_t *bitmap)
{
	struct kvm_vmem_get_bitmap get = {
		.size = sizeof(get),
		.first_block = first_block,
		.nb_blocks = nb_blocks,
		.bitmap = (uintptr_t)bitmap,
	};

	return vmem_ioctl(dev, KVM_VMEM_GET_BITMAP, &get);
}

void fill_set_bitmap(struct kvm_vmem_set_bitmap *set,
		     const struct kvm_vmem_get_config *config,
		     const uint64_t *bitmap)
{
	*set = (struct kvm_vmem_set_bitmap) {
		.size = sizeof(*set),
		.addr = config->out_addr,
		.region_size = config->out_region_size,
		.block_size = config->out_block_size,
		.usable_region_size = config->out_usable_region_size,
		.node_id = config->out_node_id,
		.nb_blocks = config->out_region_size / config->out_block_size,
		.bitmap = (uintptr_t)bitmap,
	};
}

int vmem_set_bitmap(int dev, const struct kvm_vmem_set_bitmap *set)
{
	return vmem_ioctl(dev, KVM_VMEM_SET_BITMAP, (void *)set);
}

int64_t vmem_get_dirty_log(int dev, uint64_t first_page, uint64_t nb_pages,
			   uint64_t *bitmap)
{
	struct kvm_vmem_get_dirty_log get = {
		.size = sizeof(get),
		.first_page = first_page,
		.nb_pages = nb_pages,
		.bitmap = (uintptr_t)bitmap,
	};
	int ret = vmem_ioctl(dev, KVM_VMEM_GET_DIRTY_LOG, &get);

	return ret ? ret : (int64_t)get.out_nb_dirty;
}

int vmem_get_memory_fd(int dev)
{
	struct kvm_vmem_get_memory_fd get = { .size = sizeof(get) };
	int ret = vmem_ioctl(dev, KVM_VMEM_GET_MEMORY_FD, &get);

	return ret ? ret : get.out_fd;
}

int vmem_action(int dev, unsigned long cmd, uint32_t flags)
{
	struct kvm_vmem_action arg = {
		.size = sizeof(arg),
		.flags = flags,
	};

	return vmem_ioctl(dev, cmd, &arg);
}

struct kvm_vmem_get_info vmem_facts(int dev)
{
	struct kvm_vmem_get_info info;

	/* A device without SETUP has no facts: all zeros. */
	if (vmem_get_info(dev, &info))
		memset(&info, 0, sizeof(info));
	info.out_nb_acks = 0;
	info.out_nb_nacks = 0;
	info.out_nb_busies = 0;
	info.out_nb_errors = 0;
	info.out_nb_kvm_calls = 0;
	return info;
}

bool vmem_same(const struct kvm_vmem_get_info *a,
	       const struct kvm_vmem_get_info *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static int open_tmpfs_file(void)
{
	char path[] = "/dev/shm/kvm_vmem.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		unlink(path);
	return fd;
}

static int open_backing(enum backing_kind kind)
{
	switch (kind) {
	case BACKING_MEMFD:
		return memfd_create("kvm_vmem",
				    MFD_CLOEXEC | MFD_ALLOW_SEALING);
	case BACKING_TMPFS:
		return open_tmpfs_file();
	case BACKING_HUGETLB:
		return memfd_create("kvm_vmem",
				    MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	default:
		return -1;
	}
}

static int map_backing(struct backing *backing)
{
	int flags = backing->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	uintptr_t aligned;

	backing->reserved_size = backing->size + GiB;
	backing->reserved = mmap(NULL, backing->reserved_size, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1, 0);
	if (backing->reserved == MAP_FAILED)
		return -errno;
	aligned = ((uintptr_t)backing->reserved + GiB - 1) & ~(GiB - 1);
	backing->addr = mmap((void *)aligned, backing->size,
			     PROT_READ | PROT_WRITE,
			     flags | MAP_NORESERVE | MAP_FIXED,
			     backing->fd, backing->fd < 0 ? 0 : backing->offset);
	return backing->addr == MAP_FAILED ? -errno : 0;
}

int backing_create(struct backing *backing, enum backing_kind kind,
		   uint64_t size, uint64_t offset)
{
	int ret;

	memset(backing, 0, sizeof(*backing));
	backing->kind = kind;
	backing->size = size;
	backing->offset = offset;
	backing->fd = open_backing(kind);
	if (kind == BACKING_PROTECTED)
		return 0;
	if (backing->fd < 0 && kind != BACKING_ANON)
		return -errno;
	if (backing->fd >= 0 && ftruncate(backing->fd, offset + size))
		return -errno;
	ret = map_backing(backing);
	/* Tests count small pages and the memory of single blocks. */
	if (!ret && kind != BACKING_HUGETLB)
		madvise(backing->addr, size, MADV_NOHUGEPAGE);
	return ret;
}

int backing_map_device(struct backing *backing, int dev)
{
	void *addr = mmap(NULL, backing->size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, dev, 0);

	if (addr == MAP_FAILED)
		return -errno;
	backing->addr = addr;
	backing->reserved = addr;
	backing->reserved_size = backing->size;
	return 0;
}

void backing_destroy(struct backing *backing)
{
	if (backing->reserved_size)
		munmap(backing->reserved, backing->reserved_size);
	if (backing->fd >= 0)
		close(backing->fd);
	memset(backing, 0, sizeof(*backing));
	backing->fd = -1;
}

int backing_discard(const struct backing *backing, uint64_t offset,
		    uint64_t size)
{
	int ret;

	if (backing->fd < 0)
		ret = madvise(backing->addr + offset, size, MADV_DONTNEED);
	else
		ret = fallocate(backing->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				backing->offset + offset, size);
	return ret ? -errno : 0;
}

uint64_t backing_resident(const struct backing *backing)
{
	struct stat st;

	return fstat(backing->fd, &st) ? ~0ULL : st.st_blocks * 512ULL;
}

void fill_setup(struct kvm_vmem_setup *setup, const struct backing *backing,
		const struct rig_options *options)
{
	memset(setup, 0, sizeof(*setup));
	setup->flags = KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE;
	if (backing->kind != BACKING_PROTECTED)
		setup->flags |= KVM_VMEM_SETUP_USER_BACKING;
	if (options->prealloc)
		setup->flags |= KVM_VMEM_SETUP_PREALLOC;
	if (!options->is_static)
		setup->flags |= KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS;
	setup->addr = options->addr ? options->addr : 4 * GiB;
	setup->region_size = backing->size;
	setup->block_size = options->block_size ? options->block_size : 2 * MiB;
	setup->memslot_size = options->memslot_size;
	setup->memslot_limit = options->memslot_limit;
	setup->requested_size = options->requested_size;
	if (!options->requested_size && !options->request_nothing)
		setup->requested_size = backing->size;
	setup->backing_fd = options->no_fd ? -1 : backing->fd;
	setup->backing_offset = setup->backing_fd < 0 ? 0 : backing->offset;
	strcpy((char *)setup->label, "test");
}

void fill_attach(struct kvm_vmem_attach *attach, const struct vm *vm,
		 const struct backing *backing)
{
	memset(attach, 0, sizeof(*attach));
	attach->vm_fd = vm->fd;
	attach->first_memslot_id = KVM_VMEM_MEMSLOT_ID_AUTO;
	attach->address_spaces = 1;
	attach->userspace_addr = (uintptr_t)backing->addr;
}

static int create_vm(struct vm *vm, const struct rig_options *options)
{
	if (options->irqchip)
		return vm_create_with_irqchip(vm, options->nr_vcpus);
	return vm_create(vm, options->nr_vcpus);
}

int rig_prepare(struct rig *rig, const struct rig_options *options)
{
	int ret;

	memset(rig, 0, sizeof(*rig));
	rig->dev = -1;
	rig->backing.fd = -1;
	ret = create_vm(&rig->vm, options);
	if (ret)
		return ret;
	ret = backing_create(&rig->backing, options->backing,
			     options->region_size ?: 4 * GiB, 0);
	if (ret)
		return ret;
	ret = vmem_open();
	if (ret < 0)
		return ret;
	rig->dev = ret;
	fill_setup(&rig->setup, &rig->backing, options);
	ret = vmem_setup(rig->dev, &rig->setup);
	if (ret)
		return ret;
	rig->addr = rig->setup.addr;
	rig->block = rig->setup.out_block_size;
	if (options->backing == BACKING_PROTECTED)
		ret = backing_map_device(&rig->backing, rig->dev);
	if (ret)
		return ret;
	fill_attach(&rig->attach, &rig->vm, &rig->backing);
	if (options->address_spaces)
		rig->attach.address_spaces = options->address_spaces;
	return 0;
}

int rig_attach(struct rig *rig)
{
	return vmem_attach(rig->dev, &rig->attach);
}

int rig_create(struct rig *rig, const struct rig_options *options)
{
	int ret = rig_prepare(rig, options);

	return ret ? ret : rig_attach(rig);
}

void rig_destroy(struct rig *rig)
{
	if (rig->dev >= 0)
		close(rig->dev);
	vm_destroy(&rig->vm);
	backing_destroy(&rig->backing);
	rig->dev = -1;
}

int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return len;
	if (len && buf[len - 1] == '\n')
		len--;
	buf[len] = 0;
	return len;
}

int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		ret = -errno;
	close(fd);
	return ret;
}

int sysfs_path(char *path, size_t size, uint32_t id, const char *name)
{
	return snprintf(path, size, VMEM_CLASS "/vmem%u/%s", id, name);
}

int sysfs_read(uint32_t id, const char *name, char *buf, size_t size)
{
	char path[128];

	sysfs_path(path, sizeof(path), id, name);
	return read_file(path, buf, size);
}

int sysfs_read_u64(uint32_t id, const char *name, uint64_t *value)
{
	char buf[64], *end;
	int ret = sysfs_read(id, name, buf, sizeof(buf));

	if (ret < 0)
		return ret;
	*value = strtoull(buf, &end, 10);
	return ret && !*end ? 0 : -EPROTO;
}

int sysfs_write(uint32_t id, const char *name, const char *value)
{
	char path[128];

	sysfs_path(path, sizeof(path), id, name);
	return write_file(path, value);
}

int count_devices(void)
{
	DIR *dir = opendir(VMEM_CLASS);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		count += !strncmp(entry->d_name, "vmem", 4);
	closedir(dir);
	return count;
}

int module_refcount(void)
{
	char buf[32];
	int ret = read_file(VMEM_MODULE "/refcnt", buf, sizeof(buf));

	return ret < 0 ? ret : atoi(buf);
}

int need_hugepages(unsigned int nr)
{
	const char *path =
		"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	char buf[32];
	int ret = read_file(path, buf, sizeof(buf));

	if (ret < 0)
		return ret;
	if (strtoul(buf, NULL, 10) >= nr)
		return 0;
	snprintf(buf, sizeof(buf), "%u", nr);
	return write_file(path, buf);
}

int send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

int recv_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -EPIPE;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}
