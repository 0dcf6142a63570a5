// SPDX-License-Identifier: GPL-2.0
/* The general ioctl format: sizes, flags, reserved members, order of calls. */
#include "harness.h"

#define STRUCT(cmd, type, flags) \
	{ #cmd, cmd, sizeof(struct type), sizeof(struct type), flags }

/* Every ioctl that exists, with its structure and the flags that it knows. */
static const struct call {
	const char *name;
	unsigned long cmd;
	size_t size;
	size_t min_size;
	uint32_t flags;
} calls[] = {
	STRUCT(KVM_VMEM_SETUP, kvm_vmem_setup, 0xf),
	STRUCT(KVM_VMEM_ATTACH, kvm_vmem_attach, 0),
	STRUCT(KVM_VMEM_PLUG, kvm_vmem_request, 0),
	STRUCT(KVM_VMEM_UNPLUG, kvm_vmem_request, KVM_VMEM_UNPLUG_SYNC),
	STRUCT(KVM_VMEM_UNPLUG_ALL, kvm_vmem_request, KVM_VMEM_UNPLUG_SYNC),
	STRUCT(KVM_VMEM_STATE, kvm_vmem_request, 0),
	STRUCT(KVM_VMEM_GET_CONFIG, kvm_vmem_get_config, 0),
	STRUCT(KVM_VMEM_SET_REQUESTED_SIZE, kvm_vmem_set_requested_size, 0),
	STRUCT(KVM_VMEM_SET_EVENTFD, kvm_vmem_set_eventfd,
	       KVM_VMEM_EVENTFD_DEASSIGN),
	STRUCT(KVM_VMEM_GET_INFO, kvm_vmem_get_info, 0),
	STRUCT(KVM_VMEM_GET_MEMSLOTS, kvm_vmem_get_memslots, 0),
	STRUCT(KVM_VMEM_GET_BITMAP, kvm_vmem_get_bitmap, 0),
	STRUCT(KVM_VMEM_SET_BITMAP, kvm_vmem_set_bitmap, 0),
	STRUCT(KVM_VMEM_FREEZE, kvm_vmem_action, 0),
	STRUCT(KVM_VMEM_THAW, kvm_vmem_action, 0),
	STRUCT(KVM_VMEM_SET_DIRTY_LOG, kvm_vmem_action,
	       KVM_VMEM_DIRTY_LOG_ENABLE | KVM_VMEM_DIRTY_LOG_MANUAL_PROTECT),
	STRUCT(KVM_VMEM_GET_DIRTY_LOG, kvm_vmem_get_dirty_log, 0),
	STRUCT(KVM_VMEM_GET_MEMORY_FD, kvm_vmem_get_memory_fd, 0),
	STRUCT(KVM_VMEM_RESET, kvm_vmem_action, 0),
	STRUCT(KVM_VMEM_PREPARE_REMOVE, kvm_vmem_action,
	       KVM_VMEM_PREPARE_REMOVE_CANCEL),
};

#define for_each_call(call, table) \
	for ((call) = (table); (call) < (table) + ARRAY_SIZE(table); (call)++)

/*
 * What a call says to its structure of zeros on a device that is not set up: it
 * understood it, and refuses for another reason than its form.
 */
static int first_refusal(const struct call *call)
{
	switch (call->cmd) {
	case KVM_VMEM_SETUP:
		return -EINVAL;		/* a backing fd of 0 */
	default:
		return -ENODEV;
	}
}

FIXTURE(uapi) {
	int dev;
	char buf[4096];
};

FIXTURE_SETUP(uapi)
{
	self->dev = vmem_open();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(uapi)
{
	close(self->dev);
}

static int call_with_size(int dev, const struct call *call, char *buf,
			  uint32_t size)
{
	*(uint32_t *)buf = size;
	return vmem_ioctl(dev, call->cmd, buf);
}

TEST_F(uapi, a_short_structure_is_EINVAL)
{
	const struct call *call;

	for_each_call(call, calls) {
		test_err(EINVAL, call_with_size(self->dev, call, self->buf, 0))
			TH_LOG("%s", call->name);
		test_err(EINVAL, call_with_size(self->dev, call, self->buf, 4))
			TH_LOG("%s", call->name);
		test_err(EINVAL, call_with_size(self->dev, call, self->buf,
						call->min_size - 1))
			TH_LOG("%s", call->name);
	}
}

TEST_F(uapi, an_exact_structure_is_understood)
{
	const struct call *call;

	for_each_call(call, calls) {
		ASSERT_EQ(first_refusal(call),
			  call_with_size(self->dev, call, self->buf, call->size))
			TH_LOG("%s", call->name);
	}
}

TEST_F(uapi, a_call_that_fails_leaves_its_structure_alone)
{
	char before[sizeof(self->buf)];
	const struct call *call;

	for_each_call(call, calls) {
		*(uint32_t *)self->buf = call->size;
		memcpy(before, self->buf, sizeof(before));
		ASSERT_NE(0, vmem_ioctl(self->dev, call->cmd, self->buf));
		ASSERT_EQ(0, memcmp(before, self->buf, sizeof(before)))
			TH_LOG("%s", call->name);
	}
}

TEST_F(uapi, a_longer_structure_with_zeros_is_understood)
{
	const struct call *call;

	for_each_call(call, calls) {
		ASSERT_EQ(first_refusal(call),
			  call_with_size(self->dev, call, self->buf,
					 call->size + 1))
			TH_LOG("%s", call->name);
		ASSERT_EQ(first_refusal(call),
			  call_with_size(self->dev, call, self->buf,
					 call->size + 64))
			TH_LOG("%s", call->name);
	}
}

/* The kernel looks through what it does not know; not through gigabytes. */
TEST_F(uapi, a_structure_longer_than_a_page_is_E2BIG)
{
	const uint32_t sizes[] = { 4097, 1 << 30, UINT32_MAX };
	const struct call *call;
	unsigned int i;

	for_each_call(call, calls)
		for (i = 0; i < ARRAY_SIZE(sizes); i++)
			test_err(E2BIG, call_with_size(self->dev, call,
						       self->buf, sizes[i]));
}

TEST_F(uapi, a_longer_structure_with_garbage_is_E2BIG)
{
	const struct call *call;

	for_each_call(call, calls) {
		self->buf[call->size + 63] = 1;
		test_err(E2BIG, call_with_size(self->dev, call, self->buf,
					       call->size + 64))
			TH_LOG("%s", call->name);
		self->buf[call->size + 63] = 0;
		self->buf[call->size] = 1;
		test_err(E2BIG, call_with_size(self->dev, call, self->buf,
					       call->size + 1))
			TH_LOG("%s", call->name);
		self->buf[call->size] = 0;
	}
}

TEST_F(uapi, a_huge_size_is_an_error)
{
	const struct call *call;
	int ret;

	for_each_call(call, calls) {
		ret = call_with_size(self->dev, call, self->buf, ~0U);
		ASSERT_TRUE(ret == -E2BIG || ret == -EFAULT)
			TH_LOG("%s", call->name);
	}
}

TEST_F(uapi, a_bad_pointer_is_EFAULT)
{
	const struct call *call;
	char *pages;

	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + 4096, 4096));

	for_each_call(call, calls) {
		test_err(EFAULT, vmem_ioctl(self->dev, call->cmd, NULL))
			TH_LOG("%s", call->name);
		test_err(EFAULT, vmem_ioctl(self->dev, call->cmd, (void *)-4096L))
			TH_LOG("%s", call->name);
		/* The size can be read, the rest cannot. */
		*(uint32_t *)(pages + 4088) = call->size;
		if (call->size > 8)
			test_err(EFAULT, vmem_ioctl(self->dev, call->cmd,
						    pages + 4088))
				TH_LOG("%s", call->name);
	}
}

/* At the stage where the call would do something. */
static int open_for(const struct call *call, struct rig *rig)
{
	const struct rig_options options = {};

	if (call->cmd == KVM_VMEM_SETUP) {
		memset(rig, 0, sizeof(*rig));
		rig->dev = vmem_open();
		return 0;
	}
	if (call->cmd == KVM_VMEM_ATTACH)
		return rig_prepare(rig, &options);
	return rig_create(rig, &options);
}

TEST_F(uapi, an_unknown_flag_is_EOPNOTSUPP)
{
	const struct call *call;
	struct rig rig;
	unsigned int bit;

	for_each_call(call, calls) {
		test_ok(open_for(call, &rig))
			TH_LOG("%s", call->name);
		for (bit = 0; bit < 32; bit++) {
			if (call->flags & 1U << bit)
				continue;
			((uint32_t *)self->buf)[1] = 1U << bit;
			test_err(EOPNOTSUPP,
				 call_with_size(rig.dev, call, self->buf,
						call->size))
				TH_LOG("%s flag %u", call->name, bit);
		}
		((uint32_t *)self->buf)[1] = 0;
		rig_destroy(&rig);
	}
}

TEST_F(uapi, a_range_for_unplug_all_is_EINVAL)
{
	const struct rig_options options = {};
	struct kvm_vmem_request request = { .size = sizeof(request) };
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	request.addr = rig.addr;
	test_err_unchanged(EINVAL, rig.dev,
			   vmem_ioctl(rig.dev, KVM_VMEM_UNPLUG_ALL, &request));
	request.addr = 0;
	request.nb_blocks = 1;
	test_err_unchanged(EINVAL, rig.dev,
			   vmem_ioctl(rig.dev, KVM_VMEM_UNPLUG_ALL, &request));
	rig_destroy(&rig);
}

TEST_F(uapi, an_unknown_ioctl_is_ENOTTY)
{
	unsigned int nr;

	for (nr = KVM_VMEM_CMD_GET_MEMORY_FD + 1; nr < 256; nr++)
		test_err(ENOTTY, vmem_ioctl(self->dev,
					    _IO(KVM_VMEM_TYPE, nr), self->buf));
	test_err(ENOTTY, vmem_ioctl(self->dev, KVM_GET_API_VERSION, NULL));
	test_err(ENOTTY, vmem_ioctl(self->dev, _IO(0xBD, 0), self->buf));
	/* Known numbers, with a direction and size that the calls do not have. */
	test_err(ENOTTY, vmem_ioctl(self->dev,
				    _IOW(KVM_VMEM_TYPE, KVM_VMEM_CMD_GET_INFO,
					 struct kvm_vmem_get_info), self->buf));
}

TEST_F(uapi, a_reserved_member_of_setup_is_EOPNOTSUPP)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_USER_BACKING,
		.region_size = GiB,
		.backing_fd = -1,
		.__reserved0 = 1,
	};

	test_err(EOPNOTSUPP, vmem_setup(self->dev, &setup));
	setup.__reserved0 = 0;
	setup.__reserved1 = 1;
	test_err(EOPNOTSUPP, vmem_setup(self->dev, &setup));
	setup.__reserved1 = 0;
	test_ok(vmem_setup(self->dev, &setup));
}

TEST_F(uapi, a_reserved_member_of_attach_is_EOPNOTSUPP)
{
	const struct rig_options options = {};
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	rig.attach.__reserved = 1;
	test_err_unchanged(EOPNOTSUPP, rig.dev, rig_attach(&rig));
	rig.attach.__reserved = 0;
	test_ok(rig_attach(&rig));
	rig_destroy(&rig);
}

TEST_F(uapi, the_results_of_a_failed_setup_are_not_written)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_USER_BACKING,
		.region_size = GiB + 1,
		.backing_fd = -1,
		.out_block_size = 1,
		.out_memslot_size = 2,
		.out_nb_memslots = 3,
		.out_id = 4,
	};

	test_err(EINVAL, vmem_setup(self->dev, &setup));
	ASSERT_EQ(1, setup.out_block_size);
	ASSERT_EQ(2, setup.out_memslot_size);
	ASSERT_EQ(3, setup.out_nb_memslots);
	ASSERT_EQ(4, setup.out_id);
}

TEST_F(uapi, input_members_are_not_written)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_USER_BACKING |
			 KVM_VMEM_SETUP_DYNAMIC_MEMSLOTS |
			 KVM_VMEM_SETUP_UNPLUGGED_INACCESSIBLE,
		.addr = 4 * GiB,
		.region_size = 4 * GiB,
		.backing_fd = -1,
		.label = "keep",
	};
	struct kvm_vmem_setup before = setup;

	before.size = sizeof(before);
	test_ok(vmem_setup(self->dev, &setup));
	ASSERT_EQ(0, memcmp(&before, &setup,
			    offsetof(struct kvm_vmem_setup, out_block_size)));
}

/* GET_INFO can be read by a caller that knows more members than the module. */
TEST_F(uapi, what_a_longer_result_has_beyond_is_zero)
{
	const struct rig_options options = {};
	struct kvm_vmem_get_info *info = (void *)self->buf;
	struct rig rig;
	size_t i;

	test_ok(rig_create(&rig, &options));
	info->size = sizeof(*info) + 64;
	test_ok(vmem_ioctl(rig.dev, KVM_VMEM_GET_INFO, info));
	ASSERT_EQ(rig.addr, info->out_addr);
	for (i = sizeof(*info); i < sizeof(*info) + 64; i++)
		ASSERT_EQ(0, self->buf[i]);
	rig_destroy(&rig);
}

TEST_F(uapi, a_result_that_cannot_be_written_is_EFAULT)
{
	struct kvm_vmem_get_info *info;
	const struct rig_options options = {};
	struct rig rig;

	info = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, info);
	info->size = sizeof(*info);
	ASSERT_EQ(0, mprotect(info, 4096, PROT_READ));

	test_ok(rig_create(&rig, &options));
	test_err_unchanged(EFAULT, rig.dev,
			   vmem_ioctl(rig.dev, KVM_VMEM_GET_INFO, info));
	rig_destroy(&rig);
}

TEST_F(uapi, a_call_before_setup_is_ENODEV)
{
	struct kvm_vmem_attach attach = { .vm_fd = -1 };
	struct kvm_vmem_get_config config;
	struct kvm_vmem_get_info info;
	int dev = self->dev;

	test_err(ENODEV, vmem_attach(dev, &attach));
	test_err(ENODEV, vmem_plug(dev, 0, 1));
	test_err(ENODEV, vmem_unplug(dev, 0, 1));
	test_err(ENODEV, vmem_unplug_all(dev));
	test_err(ENODEV, vmem_state(dev, 0, 1, NULL));
	test_err(ENODEV, vmem_get_config(dev, &config));
	test_err(ENODEV, vmem_get_info(dev, &info));
	test_err(ENODEV, vmem_set_requested_size(dev, 0));
	test_err(ENODEV, vmem_add_eventfd(dev, KVM_VMEM_EVENT_SIZE, 0));
	test_err(ENODEV, vmem_get_memslots(dev, NULL, 0));
	test_err(ENODEV, vmem_action(dev, KVM_VMEM_RESET, 0));
	test_err(ENODEV, vmem_action(dev, KVM_VMEM_PREPARE_REMOVE, 0));
}

TEST_F(uapi, a_request_before_attach_is_ENODEV)
{
	const struct rig_options options = {};
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	test_err_unchanged(ENODEV, rig.dev, vmem_plug(rig.dev, rig.addr, 1));
	test_err_unchanged(ENODEV, rig.dev, vmem_unplug(rig.dev, rig.addr, 1));
	test_err_unchanged(ENODEV, rig.dev, vmem_unplug_all(rig.dev));
	test_err_unchanged(ENODEV, rig.dev,
			   vmem_state(rig.dev, rig.addr, 1, NULL));
	test_err_unchanged(ENODEV, rig.dev,
			   vmem_get_memslots(rig.dev, NULL, 0));
	test_err_unchanged(ENODEV, rig.dev,
			   vmem_action(rig.dev, KVM_VMEM_RESET, 0));
	test_ok(rig_attach(&rig));
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	rig_destroy(&rig);
}

TEST_F(uapi, a_second_setup_is_EBUSY)
{
	const struct rig_options options = {};
	struct kvm_vmem_setup again;
	struct rig rig;

	test_ok(rig_prepare(&rig, &options));
	again = rig.setup;
	test_err_unchanged(EBUSY, rig.dev, vmem_setup(rig.dev, &again));
	again.addr = 16 * GiB;
	test_err_unchanged(EBUSY, rig.dev, vmem_setup(rig.dev, &again));
	test_ok(rig_attach(&rig));
	test_err_unchanged(EBUSY, rig.dev, vmem_setup(rig.dev, &again));
	rig_destroy(&rig);
}

TEST_F(uapi, a_second_attach_is_EBUSY)
{
	const struct rig_options options = {};
	struct rig rig;

	test_ok(rig_create(&rig, &options));
	test_err_unchanged(EBUSY, rig.dev, rig_attach(&rig));
	test_ack(vmem_plug(rig.dev, rig.addr, 1));
	test_err_unchanged(EBUSY, rig.dev, rig_attach(&rig));
	rig_destroy(&rig);
}

/* They may grow at their end, never change: programs are built with them. */
TEST(the_structures_are_those_of_the_first_version)
{
	ASSERT_EQ(160, sizeof(struct kvm_vmem_setup));
	ASSERT_EQ(48, sizeof(struct kvm_vmem_attach));
	ASSERT_EQ(24, sizeof(struct kvm_vmem_request));
	ASSERT_EQ(64, sizeof(struct kvm_vmem_get_config));
	ASSERT_EQ(16, sizeof(struct kvm_vmem_set_requested_size));
	ASSERT_EQ(16, sizeof(struct kvm_vmem_set_eventfd));
	ASSERT_EQ(232, sizeof(struct kvm_vmem_get_info));
	ASSERT_EQ(48, sizeof(struct kvm_vmem_memslot_info));
	ASSERT_EQ(24, sizeof(struct kvm_vmem_get_memslots));
	ASSERT_EQ(32, sizeof(struct kvm_vmem_get_bitmap));
	ASSERT_EQ(64, sizeof(struct kvm_vmem_set_bitmap));
	ASSERT_EQ(40, sizeof(struct kvm_vmem_get_dirty_log));
	ASSERT_EQ(16, sizeof(struct kvm_vmem_get_memory_fd));
	ASSERT_EQ(8, sizeof(struct kvm_vmem_action));
	ASSERT_EQ(72, offsetof(struct kvm_vmem_setup, label));
	ASSERT_EQ(20, offsetof(struct kvm_vmem_request, out_response));
	ASSERT_EQ(168, offsetof(struct kvm_vmem_get_info, out_label));
}

TEST_HARNESS_MAIN
