// SPDX-License-Identifier: GPL-2.0
/*
 * libkvm-vmem on a device: what it makes of a guest's requests, and that each
 * function does what its ioctl does. See unit_library.c for what needs no device.
 */
#include "harness.h"

#include <endian.h>
#include <fcntl.h>
#include <kvm-vmem.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "access.h"

#define BLOCK (2 * MiB)

FIXTURE(library) {
	struct rig rig;
	int dev;
	uint64_t addr;
};

/* The guest may plug 1 GiB of 4 GiB. */
FIXTURE_SETUP(library)
{
	const struct rig_options options = { .requested_size = GiB };

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
}

FIXTURE_TEARDOWN(library)
{
	rig_destroy(&self->rig);
}

/* A request of the guest's. What the device must ignore is not zero. */
static struct virtio_mem_req guest_request(uint16_t type, uint64_t addr,
					   uint16_t nb_blocks)
{
	struct virtio_mem_req req;

	memset(&req, 0xee, sizeof(req));
	req.type = htole16(type);
	req.u.plug.addr = htole64(addr);
	req.u.plug.nb_blocks = htole16(nb_blocks);
	return req;
}

/* All of the response is written. */
static bool response_is(const struct virtio_mem_resp *resp, uint16_t type,
			uint16_t state)
{
	struct virtio_mem_resp expected = { .type = htole16(type) };

	expected.u.state.state = htole16(state);
	return !memcmp(resp, &expected, sizeof(expected));
}

#define test_request_state(ret, response, state, kind, addr, nb_blocks) do { \
	struct virtio_mem_req req_ = guest_request(kind, addr, nb_blocks); \
	struct virtio_mem_resp resp_; \
\
	memset(&resp_, 0xff, sizeof(resp_)); \
	ASSERT_EQ(ret, kvm_vmem_handle_request(self->dev, &req_, &resp_)); \
	ASSERT_EQ(response, le16toh(resp_.type)); \
	ASSERT_TRUE(response_is(&resp_, response, state)); \
} while (0)

#define test_request(response, kind, addr, nb_blocks) \
	test_request_state(0, VIRTIO_MEM_RESP_##response, 0, \
			   VIRTIO_MEM_REQ_##kind, addr, nb_blocks)

TEST_F(library, a_PLUG_is_answered_as_the_device_answers_it)
{
	test_request(ACK, PLUG, self->addr, 3);
	test_plugged_size(self->dev, 3 * BLOCK);
	test_request(ERROR, PLUG, self->addr + 2 * BLOCK, 1);
	test_request(ERROR, PLUG, self->addr + 1, 1);
	test_request(ERROR, PLUG, self->addr + 8 * BLOCK, 0);
	test_request(NACK, PLUG, self->addr + 3 * BLOCK, GiB / BLOCK);
	test_plugged_size(self->dev, 3 * BLOCK);
}

TEST_F(library, an_UNPLUG_is_answered_as_the_device_answers_it)
{
	test_request(ACK, PLUG, self->addr, 3);
	test_request(ACK, UNPLUG, self->addr + BLOCK, 2);
	test_plugged_size(self->dev, BLOCK);
	test_request(ERROR, UNPLUG, self->addr + BLOCK, 1);
	test_request(ERROR, UNPLUG, self->addr - BLOCK, 1);
	test_plugged_size(self->dev, BLOCK);
}

/* Virtio: nothing but the type of the request counts. */
TEST_F(library, an_UNPLUG_ALL_unplugs_all)
{
	test_request(ACK, PLUG, self->addr, 3);
	test_request(ACK, UNPLUG_ALL, ~0ULL, 0xffff);
	test_plugged_size(self->dev, 0);
	test_request(ACK, UNPLUG_ALL, 0, 0);
}

TEST_F(library, a_STATE_is_answered_with_the_state)
{
	test_request(ACK, PLUG, self->addr, 1);
	test_request_state(0, VIRTIO_MEM_RESP_ACK, VIRTIO_MEM_STATE_PLUGGED,
			   VIRTIO_MEM_REQ_STATE, self->addr, 1);
	test_request_state(0, VIRTIO_MEM_RESP_ACK, VIRTIO_MEM_STATE_UNPLUGGED,
			   VIRTIO_MEM_REQ_STATE, self->addr + BLOCK, 2);
	test_request_state(0, VIRTIO_MEM_RESP_ACK, VIRTIO_MEM_STATE_MIXED,
			   VIRTIO_MEM_REQ_STATE, self->addr, 2);
	test_request(ERROR, STATE, self->addr + 4 * GiB, 1);
}

TEST_F(library, the_largest_request_is_of_65535_blocks)
{
	test_ok(vmem_set_requested_size(self->dev, 4 * GiB));
	test_request(ERROR, PLUG, self->addr, 0xffff);
	test_request(ACK, PLUG, self->addr, 4 * GiB / BLOCK);
	test_plugged_size(self->dev, 4 * GiB);
}

/* The last is PLUG for a library that mistakes the byte order. */
TEST_F(library, a_request_of_no_known_type_is_EPROTO_and_ERROR)
{
	static const uint16_t types[] = { 4, 5, 0x7fff, 0xffff, 0x0100 };
	struct kvm_vmem_get_info before = vmem_facts(self->dev), after;
	unsigned int i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		test_request_state(-EPROTO, VIRTIO_MEM_RESP_ERROR, 0, types[i],
				   self->addr, 1);
	after = vmem_facts(self->dev);
	ASSERT_TRUE(vmem_same(&before, &after));
}

TEST_F(library, the_bytes_are_those_of_virtio)
{
	static const uint8_t expected[10] = { [8] = VIRTIO_MEM_STATE_PLUGGED };
	/* 3 blocks at 5 GiB. */
	uint8_t req[24] = {
		[0] = VIRTIO_MEM_REQ_PLUG, [11] = 0x40, [12] = 1, [16] = 3,
	};
	uint8_t resp[11] = { [10] = 0xaa };

	ASSERT_EQ(sizeof(req), sizeof(struct virtio_mem_req));
	ASSERT_EQ(sizeof(expected), sizeof(struct virtio_mem_resp));
	test_ok(kvm_vmem_handle_request(self->dev, (void *)req, (void *)resp));
	test_state(VIRTIO_MEM_STATE_PLUGGED, self->dev, 5 * GiB, 3);
	test_plugged_size(self->dev, 3 * BLOCK);
	req[0] = VIRTIO_MEM_REQ_STATE;
	test_ok(kvm_vmem_handle_request(self->dev, (void *)req, (void *)resp));
	ASSERT_EQ(0, memcmp(expected, resp, sizeof(expected)));
	ASSERT_EQ(0xaa, resp[10]);
}

/* As the guest is free to have it. */
TEST_F(library, request_and_response_may_overlap_at_any_address)
{
	struct virtio_mem_req req = guest_request(VIRTIO_MEM_REQ_PLUG,
						  self->addr, 1);
	struct virtio_mem_resp resp;
	char memory[64];

	memcpy(memory + 1, &req, sizeof(req));
	test_ok(kvm_vmem_handle_request(self->dev, (void *)(memory + 1),
					(void *)(memory + 5)));
	memcpy(&resp, memory + 5, sizeof(resp));
	ASSERT_TRUE(response_is(&resp, VIRTIO_MEM_RESP_ACK, 0));
	test_plugged_size(self->dev, BLOCK);
}

TEST_F(library, a_host_that_fails_is_BUSY_for_the_guest)
{
	/* Without SETUP. */
	self->dev = kvm_vmem_open();
	ASSERT_LE(0, self->dev);
	test_request_state(-ENODEV, VIRTIO_MEM_RESP_BUSY, 0,
			   VIRTIO_MEM_REQ_PLUG, self->addr, 1);
	test_request_state(-ENODEV, VIRTIO_MEM_RESP_BUSY, 0,
			   VIRTIO_MEM_REQ_UNPLUG, self->addr, 1);
	test_request_state(-ENODEV, VIRTIO_MEM_RESP_BUSY, 0,
			   VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0);
	/* Virtio has no BUSY for it. */
	test_request_state(-ENODEV, VIRTIO_MEM_RESP_ERROR, 0,
			   VIRTIO_MEM_REQ_STATE, self->addr, 1);
	close(self->dev);
}

/* A child has the VM, and ends. */
TEST_F(library, a_VM_that_is_gone_is_EIO)
{
	struct rig rig;

	test_ok(rig_prepare(&rig, &(struct rig_options){}));
	test_child(!vm_create(&rig.vm, 0) &&
		   (rig.attach.vm_fd = rig.vm.fd) >= 0 && !rig_attach(&rig));
	self->dev = rig.dev;
	test_request_state(-EIO, VIRTIO_MEM_RESP_BUSY, 0, VIRTIO_MEM_REQ_PLUG,
			   rig.addr, 1);
	rig_destroy(&rig);
}

TEST_F(library, the_configuration_is_that_of_GET_CONFIG)
{
	struct kvm_vmem_get_config raw;
	struct virtio_mem_config config;
	static const uint8_t zero[sizeof(config.padding)];

	test_ack(vmem_plug(self->dev, self->addr, 5));
	memset(&config, 0xff, sizeof(config));
	test_ok(kvm_vmem_get_config(self->dev, &config));
	test_ok(vmem_get_config(self->dev, &raw));
	ASSERT_EQ(raw.out_block_size, le64toh(config.block_size));
	ASSERT_EQ(raw.out_node_id, le16toh(config.node_id));
	ASSERT_EQ(raw.out_addr, le64toh(config.addr));
	ASSERT_EQ(raw.out_region_size, le64toh(config.region_size));
	ASSERT_EQ(raw.out_usable_region_size,
		  le64toh(config.usable_region_size));
	ASSERT_EQ(raw.out_plugged_size, le64toh(config.plugged_size));
	ASSERT_EQ(raw.out_requested_size, le64toh(config.requested_size));
	ASSERT_EQ(0, memcmp(zero, config.padding, sizeof(zero)));
	/* None of them is another one. */
	ASSERT_EQ(5 * BLOCK, raw.out_plugged_size);
	ASSERT_EQ(GiB, raw.out_requested_size);
	ASSERT_EQ(GiB + 256 * MiB, raw.out_usable_region_size);
}

TEST_F(library, the_info_is_that_of_GET_INFO)
{
	struct kvm_vmem_get_info raw, info;

	test_ack(vmem_plug(self->dev, self->addr, 5));
	memset(&info, 0xff, sizeof(info));
	test_ok(kvm_vmem_get_info(self->dev, &info));
	test_ok(vmem_get_info(self->dev, &raw));
	ASSERT_TRUE(vmem_same(&raw, &info));
	ASSERT_EQ(5 * BLOCK, info.out_size);
}

TEST_F(library, an_eventfd_is_told_until_it_is_unset)
{
	int event = eventfd(0, EFD_NONBLOCK);
	uint64_t count;

	test_ok(kvm_vmem_set_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG, event));
	test_err(EEXIST, kvm_vmem_set_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG,
					      event));
	test_err(ENOENT, kvm_vmem_unset_eventfd(self->dev,
						KVM_VMEM_EVENT_SIZE, event));
	test_ok(kvm_vmem_set_requested_size(self->dev, 2 * BLOCK));
	ASSERT_EQ(sizeof(count), read(event, &count, sizeof(count)));
	ASSERT_EQ(1, count);
	test_ok(kvm_vmem_unset_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG,
				       event));
	test_ok(kvm_vmem_set_requested_size(self->dev, BLOCK));
	ASSERT_EQ(-1, read(event, &count, sizeof(count)));
	close(event);
}

TEST_F(library, requests_in_the_host_s_form_give_response_and_state)
{
	uint16_t response = 0xffff, state = 0xffff;

	test_ok(kvm_vmem_plug(self->dev, self->addr, 2, &response));
	ASSERT_EQ(VIRTIO_MEM_RESP_ACK, response);
	test_ok(kvm_vmem_plug(self->dev, self->addr, 2, &response));
	ASSERT_EQ(VIRTIO_MEM_RESP_ERROR, response);
	test_ok(kvm_vmem_unplug(self->dev, self->addr, 1, 0, &response));
	ASSERT_EQ(VIRTIO_MEM_RESP_ACK, response);
	test_ok(kvm_vmem_state(self->dev, self->addr, 2, &response, &state));
	ASSERT_EQ(VIRTIO_MEM_RESP_ACK, response);
	ASSERT_EQ(VIRTIO_MEM_STATE_MIXED, state);
	test_ok(kvm_vmem_unplug_all(self->dev, KVM_VMEM_UNPLUG_SYNC,
				    &response));
	ASSERT_EQ(VIRTIO_MEM_RESP_ACK, response);
	test_plugged_size(self->dev, 0);
	test_err(EOPNOTSUPP, kvm_vmem_unplug(self->dev, self->addr, 1, 1U << 31,
					     &response));
}

TEST_F(library, memslots_are_listed_and_too_little_room_is_told)
{
	struct kvm_vmem_memslot_info memslots[4];
	uint32_t nb_memslots = 0;

	test_ok(kvm_vmem_set_requested_size(self->dev, 4 * GiB));
	test_ack(vmem_plug(self->dev, self->addr, 1025));
	test_err(EMSGSIZE, kvm_vmem_get_memslots(self->dev, NULL,
						 &nb_memslots));
	ASSERT_EQ(3, nb_memslots);
	nb_memslots = 4;
	test_ok(kvm_vmem_get_memslots(self->dev, memslots, &nb_memslots));
	ASSERT_EQ(3, nb_memslots);
	ASSERT_EQ(self->addr + 2 * GiB, memslots[2].guest_phys_addr);
	ASSERT_EQ(BLOCK, memslots[2].plugged_size);
}

TEST_F(library, a_reset_unplugs_all_and_keeps_the_requested_size)
{
	struct kvm_vmem_get_info info;

	test_ack(vmem_plug(self->dev, self->addr, 3));
	test_ok(kvm_vmem_reset(self->dev));
	test_ok(kvm_vmem_get_info(self->dev, &info));
	ASSERT_EQ(0, info.out_size);
	ASSERT_EQ(GiB, info.out_requested_size);
}

TEST_F(library, removal_is_prepared_and_cancelled)
{
	test_err(EBUSY, kvm_vmem_prepare_remove(self->dev));
	test_err(EALREADY, kvm_vmem_cancel_remove(self->dev));
	test_ok(kvm_vmem_set_requested_size(self->dev, 0));
	test_ok(kvm_vmem_prepare_remove(self->dev));
	test_err(EBUSY, kvm_vmem_set_requested_size(self->dev, BLOCK));
	test_ok(kvm_vmem_cancel_remove(self->dev));
	test_ok(kvm_vmem_set_requested_size(self->dev, BLOCK));
}

TEST_F(library, the_sizes_of_the_structures_are_filled_in)
{
	struct rig rig;

	test_ok(rig_prepare(&rig, &(struct rig_options){}));
	close(rig.dev);
	rig.dev = kvm_vmem_open();
	ASSERT_LE(0, rig.dev);
	ASSERT_EQ(FD_CLOEXEC, fcntl(rig.dev, F_GETFD));
	rig.setup.size = 1;
	rig.setup.flags |= KVM_VMEM_SETUP_PREALLOC;
	test_err(EOPNOTSUPP, kvm_vmem_setup(rig.dev, &rig.setup));
	rig.setup.size = 1;
	rig.setup.flags &= ~KVM_VMEM_SETUP_PREALLOC;
	test_ok(kvm_vmem_setup(rig.dev, &rig.setup));
	rig.attach.size = 1;
	test_ok(kvm_vmem_attach(rig.dev, &rig.attach));
	ASSERT_EQ(4, rig.attach.out_nb_memslots);
	rig_destroy(&rig);
}

TEST_F(library, the_memory_of_a_device_is_mapped_shared)
{
	const struct rig_options options = { .backing = BACKING_PROTECTED };
	void *unset = self, *other = unset;
	struct rig rig;

	/* It has user backing. */
	test_err(ENODEV, kvm_vmem_map(self->dev, 4 * GiB, &other));
	test_ok(rig_create(&rig, &options));
	test_ack(vmem_plug(rig.dev, rig.addr + 4 * GiB - BLOCK, 1));
	test_err(EINVAL, kvm_vmem_map(rig.dev, 4 * GiB + BLOCK, &other));
	test_err(EINVAL, kvm_vmem_map(rig.dev, 0, &other));
	ASSERT_EQ(unset, other);
	test_ok(kvm_vmem_map(rig.dev, 4 * GiB, &other));
	strcpy((char *)other + 4 * GiB - BLOCK, "shared");
	ASSERT_EQ(0, strcmp("shared", rig.backing.addr + 4 * GiB - BLOCK));
	munmap(other, 4 * GiB);
	rig_destroy(&rig);
}

TEST_F(library, a_frozen_device_is_BUSY_until_it_is_thawed)
{
	test_ok(kvm_vmem_freeze(self->dev));
	test_err(EALREADY, kvm_vmem_freeze(self->dev));
	test_request(BUSY, PLUG, self->addr, 1);
	test_ok(kvm_vmem_thaw(self->dev));
	test_err(EALREADY, kvm_vmem_thaw(self->dev));
	test_request(ACK, PLUG, self->addr, 1);
}

/* With memory of their own, and a vCPU each. */
static int create_pair(struct rig rigs[2])
{
	const struct rig_options options = {
		.backing = BACKING_PROTECTED, .nr_vcpus = 1, .requested_size = GiB,
	};
	int ret = rig_create(&rigs[0], &options);

	return ret ?: rig_create(&rigs[1], &options);
}

TEST_F(library, a_device_is_restored_from_what_is_known_of_another)
{
	uint64_t bitmap[4 * GiB / BLOCK / 64], restored[4 * GiB / BLOCK / 64];
	struct virtio_mem_config config, other;
	struct rig rigs[2];

	test_ok(create_pair(rigs));
	test_ack(vmem_plug(rigs[0].dev, rigs[0].addr, 3));
	test_ack(vmem_plug(rigs[0].dev, rigs[0].addr + GiB, 1));
	/* The guest is to give most of it back. */
	test_ok(kvm_vmem_set_requested_size(rigs[0].dev, BLOCK));
	test_ok(kvm_vmem_get_config(rigs[0].dev, &config));
	test_ok(kvm_vmem_get_bitmap(rigs[0].dev, 0, 4 * GiB / BLOCK, bitmap));

	config.block_size = htole64(BLOCK / 2);
	test_err(EDOM, kvm_vmem_restore(rigs[1].dev, &config, bitmap));
	config.block_size = htole64(BLOCK);
	test_ok(kvm_vmem_get_config(rigs[1].dev, &other));
	ASSERT_EQ(GiB, le64toh(other.requested_size));

	test_ok(kvm_vmem_restore(rigs[1].dev, &config, bitmap));
	test_ok(kvm_vmem_get_config(rigs[1].dev, &other));
	ASSERT_EQ(0, memcmp(&config, &other, sizeof(config)));
	ASSERT_EQ(4 * BLOCK, le64toh(other.plugged_size));
	test_ok(kvm_vmem_get_bitmap(rigs[1].dev, 0, 4 * GiB / BLOCK, restored));
	ASSERT_EQ(0, memcmp(bitmap, restored, sizeof(bitmap)));
	test_err(EBUSY, kvm_vmem_restore(rigs[1].dev, &config, bitmap));
	rig_destroy(&rigs[1]);
	rig_destroy(&rigs[0]);
}

TEST_F(library, plugged_memory_and_data_are_found)
{
	struct rig rigs[2];
	uint64_t start, end;
	int dev;

	test_ok(create_pair(rigs));
	dev = rigs[0].dev;
	test_ok(kvm_vmem_set_requested_size(dev, 4 * GiB));
	ASSERT_EQ(0, kvm_vmem_next_plugged(dev, 0, &start, &end));
	test_ack(vmem_plug(dev, rigs[0].addr + 5 * BLOCK, 3));
	test_ack(vmem_plug(dev, rigs[0].addr + 4 * GiB - BLOCK, 1));
	ASSERT_EQ(1, kvm_vmem_next_plugged(dev, 0, &start, &end));
	ASSERT_EQ(5 * BLOCK, start);
	ASSERT_EQ(8 * BLOCK, end);
	ASSERT_EQ(1, kvm_vmem_next_plugged(dev, end, &start, &end));
	ASSERT_EQ(4 * GiB - BLOCK, start);
	ASSERT_EQ(4 * GiB, end);
	ASSERT_EQ(0, kvm_vmem_next_plugged(dev, end, &start, &end));

	ASSERT_EQ(0, kvm_vmem_next_data(dev, 0, &start, &end));
	test_ok(guest_write(&rigs[0].vm.vcpus[0], rigs[0].addr + 7 * BLOCK, 1));
	ASSERT_EQ(1, kvm_vmem_next_data(dev, 0, &start, &end));
	ASSERT_EQ(7 * BLOCK, start);
	ASSERT_LE(7 * BLOCK + 4096, end);
	ASSERT_LE(end, 8 * BLOCK);
	ASSERT_EQ(0, kvm_vmem_next_data(dev, end, &start, &end));
	rig_destroy(&rigs[1]);
	rig_destroy(&rigs[0]);
}

TEST_F(library, the_dirty_log_has_what_the_guest_wrote)
{
	struct rig rigs[2];
	uint64_t bitmap[2] = { ~0ULL, ~0ULL }, nb_dirty = 77;
	int dev;

	test_ok(create_pair(rigs));
	dev = rigs[0].dev;
	test_ack(vmem_plug(dev, rigs[0].addr, 1));
	test_err(ENOENT, kvm_vmem_get_dirty_log(dev, 0, 64, bitmap, &nb_dirty));
	ASSERT_EQ(77, nb_dirty);
	test_ok(kvm_vmem_set_dirty_log(dev, KVM_VMEM_DIRTY_LOG_ENABLE));
	test_err(EALREADY, kvm_vmem_set_dirty_log(dev, KVM_VMEM_DIRTY_LOG_ENABLE));
	test_ok(guest_write(&rigs[0].vm.vcpus[0], rigs[0].addr + 9 * 4096, 1));
	test_ok(kvm_vmem_get_dirty_log(dev, 5, 64, bitmap, &nb_dirty));
	ASSERT_EQ(1, nb_dirty);
	ASSERT_EQ(1 << 4, bitmap[0]);
	ASSERT_EQ(~0ULL, bitmap[1]);
	test_ok(kvm_vmem_set_dirty_log(dev, 0));
	test_err(EALREADY, kvm_vmem_set_dirty_log(dev, 0));
	rig_destroy(&rigs[1]);
	rig_destroy(&rigs[0]);
}

TEST_F(library, errno_stays_as_it_was)
{
	void *unset = NULL;

	errno = ENOTEMPTY;
	test_err(ENOTTY, kvm_vmem_reset(self->rig.vm.fd));
	test_err(EBADF, kvm_vmem_map(-1, BLOCK, &unset));
	test_request(ACK, PLUG, self->addr, 1);
	ASSERT_EQ(ENOTEMPTY, errno);
}

TEST_HARNESS_MAIN
