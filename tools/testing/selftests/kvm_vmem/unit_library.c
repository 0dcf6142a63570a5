// SPDX-License-Identifier: GPL-2.0
/*
 * The library's byte order and its errors, and how it looks for plugged memory, on the
 * machine that builds it: its sources, as if the host were big endian, with an ioctl()
 * that notes what it is given. On the little endian machines there are, forgotten
 * conversions show nowhere else.
 */
#include <kselftest_harness.h>

#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#undef htole16
#undef htole64
#undef le16toh
#undef le64toh
#define htole16(x) __builtin_bswap16(x)
#define htole64(x) __builtin_bswap64(x)
#define le16toh(x) __builtin_bswap16(x)
#define le64toh(x) __builtin_bswap64(x)
#define ioctl(...) noted_ioctl(__VA_ARGS__)
#define open(...) noted_open(__VA_ARGS__)
#define lseek(...) noted_lseek(__VA_ARGS__)

__attribute__((noipa))
static int noted_ioctl(int fd, unsigned long command, void *arg);
static int noted_open(const char *path, int flags);
static off_t noted_lseek(int fd, off_t offset, int whence);

#include "../../../kvm-vmem/lib/device.c"
#include "../../../kvm-vmem/lib/migration.c"
#include "../../../kvm-vmem/lib/requests.c"

/* From a block or a page up to another. */
struct run {
	uint64_t first, end;
};

static struct {
	unsigned long command;
	struct kvm_vmem_request request;
	int error;
	/* Of SET_REQUESTED_SIZE, in the order of the calls, and of SET_BITMAP alone. */
	uint64_t requested_sizes[4];
	unsigned int nb_requested_sizes;
	struct kvm_vmem_set_bitmap set;
	int set_error;
} noted;

#define BLOCK 0x100000ULL
#define PAGE 0x1000ULL
#define NB_BLOCKS 200000ULL

/* What there is, with a run of nothing at the end. */
static const struct run *plugged, *data;

static int noted_open(const char *path, int flags)
{
	if (!noted.error)
		return 0;
	errno = noted.error;
	return -1;
}

static const struct run *find_run(const struct run *runs, uint64_t at)
{
	while (runs->end && runs->end <= at)
		runs++;
	return runs;
}

static bool is_in(const struct run *runs, uint64_t at)
{
	const struct run *run = find_run(runs, at);

	return run->end && run->first <= at;
}

static off_t noted_lseek(int fd, off_t offset, int whence)
{
	const struct run *run;

	if (!data) {
		errno = ESPIPE;
		return -1;
	}
	run = find_run(data, offset / PAGE);
	if (whence == SEEK_HOLE && is_in(data, offset / PAGE))
		return run->end * PAGE;
	if (whence != SEEK_DATA || !run->end) {
		errno = ENXIO;
		return -1;
	}
	return run->first * PAGE > (uint64_t)offset ? (off_t)(run->first * PAGE) : offset;
}

static int noted_get_bitmap(const struct kvm_vmem_get_bitmap *get)
{
	uint64_t *bitmap = (uint64_t *)get->bitmap, i;

	if (!get->nb_blocks || get->first_block + get->nb_blocks > NB_BLOCKS) {
		errno = EINVAL;
		return -1;
	}
	memset(bitmap, 0, (get->nb_blocks + 63) / 64 * sizeof(*bitmap));
	for (i = 0; i < get->nb_blocks; i++)
		if (is_in(plugged, get->first_block + i))
			bitmap[i / 64] |= 1ULL << i % 64;
	return 0;
}

static int noted_ioctl(int fd, unsigned long command, void *arg)
{
	struct kvm_vmem_get_config *config = arg;
	struct kvm_vmem_set_requested_size *set_requested_size = arg;
	struct kvm_vmem_request *request = arg;

	noted.command = command;
	if (noted.error) {
		errno = noted.error;
		return -1;
	}
	switch (command) {
	case KVM_VMEM_GET_BITMAP:
		return noted_get_bitmap(arg);
	case KVM_VMEM_SET_BITMAP:
		noted.set = *(struct kvm_vmem_set_bitmap *)arg;
		if (!noted.set_error)
			return 0;
		errno = noted.set_error;
		return -1;
	case KVM_VMEM_SET_REQUESTED_SIZE:
		noted.requested_sizes[noted.nb_requested_sizes++] =
			set_requested_size->requested_size;
		return 0;
	case KVM_VMEM_GET_CONFIG:
		if (plugged) {
			config->out_block_size = BLOCK;
			config->out_region_size = NB_BLOCKS * BLOCK;
			config->out_requested_size = 7 * BLOCK;
			return 0;
		}
		config->out_block_size = 0x0102030405060708;
		config->out_node_id = 0x1112;
		config->out_addr = 0x2122232425262728;
		config->out_region_size = 0x3132333435363738;
		config->out_usable_region_size = 0x4142434445464748;
		config->out_plugged_size = 0x5152535455565758;
		config->out_requested_size = 0x6162636465666768;
		return 0;
	default:
		noted.request = *request;
		request->out_response = 0x0a0b;
		request->out_state = 0x0c0d;
		return 0;
	}
}

FIXTURE(library) {
	struct virtio_mem_req req;
	struct virtio_mem_resp resp;
};

FIXTURE_SETUP(library)
{
	memset(&noted, 0, sizeof(noted));
	plugged = NULL;
	data = NULL;
	memset(&self->resp, 0xff, sizeof(self->resp));
	self->req.u.plug.addr = 0x0102030405060708;
	self->req.u.plug.nb_blocks = 0x0900;
}

FIXTURE_TEARDOWN(library)
{
}

static int handle(struct virtio_mem_req *req, struct virtio_mem_resp *resp,
		  uint16_t type)
{
	req->type = type << 8;
	return kvm_vmem_handle_request(3, req, resp);
}

#define test_converted(cmd, req_type) do { \
	ASSERT_EQ(0, handle(&self->req, &self->resp, req_type)); \
	ASSERT_EQ(cmd, noted.command); \
	ASSERT_EQ(0x0807060504030201, noted.request.addr); \
	ASSERT_EQ(9, noted.request.nb_blocks); \
	ASSERT_EQ(sizeof(noted.request), noted.request.size); \
	ASSERT_EQ(0, noted.request.flags); \
	ASSERT_EQ(0x0b0a, self->resp.type); \
} while (0)

TEST_F(library, requests_are_little_endian)
{
	test_converted(KVM_VMEM_PLUG, VIRTIO_MEM_REQ_PLUG);
	test_converted(KVM_VMEM_UNPLUG, VIRTIO_MEM_REQ_UNPLUG);
	test_converted(KVM_VMEM_STATE, VIRTIO_MEM_REQ_STATE);
	ASSERT_EQ(0, handle(&self->req, &self->resp, VIRTIO_MEM_REQ_UNPLUG_ALL));
	ASSERT_EQ(KVM_VMEM_UNPLUG_ALL, noted.command);
	ASSERT_EQ(0, noted.request.addr);
	ASSERT_EQ(0, noted.request.nb_blocks);
}

TEST_F(library, the_configuration_is_little_endian)
{
	struct virtio_mem_config config;

	ASSERT_EQ(0, kvm_vmem_get_config(3, &config));
	ASSERT_EQ(0x0807060504030201, config.block_size);
	ASSERT_EQ(0x1211, config.node_id);
	ASSERT_EQ(0x2827262524232221, config.addr);
	ASSERT_EQ(0x3837363534333231, config.region_size);
	ASSERT_EQ(0x4847464544434241, config.usable_region_size);
	ASSERT_EQ(0x5857565554535251, config.plugged_size);
	ASSERT_EQ(0x6867666564636261, config.requested_size);
}

TEST_F(library, no_failure_of_the_host_is_an_ERROR_that_Linux_gives_up_for)
{
	static const int errors[] = {
		EIO, ENODEV, EINTR, ENOMEM, EBADF, ENOTTY, EFAULT, EOPNOTSUPP,
	};
	unsigned int i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		noted.error = errors[i];
		ASSERT_EQ(-errors[i], handle(&self->req, &self->resp, VIRTIO_MEM_REQ_PLUG));
		ASSERT_EQ(VIRTIO_MEM_RESP_BUSY << 8, self->resp.type);
		ASSERT_EQ(-errors[i], handle(&self->req, &self->resp, VIRTIO_MEM_REQ_UNPLUG));
		ASSERT_EQ(VIRTIO_MEM_RESP_BUSY << 8, self->resp.type);
		ASSERT_EQ(-errors[i], handle(&self->req, &self->resp,
					     VIRTIO_MEM_REQ_UNPLUG_ALL));
		ASSERT_EQ(VIRTIO_MEM_RESP_BUSY << 8, self->resp.type);
	}
}

TEST_F(library, a_call_that_fails_leaves_errno_and_results_alone)
{
	struct virtio_mem_config config, before;
	uint16_t response = 0x7777, state = 0x7777;

	noted.error = EIO;
	memset(&config, 0x77, sizeof(config));
	before = config;
	errno = ENOTEMPTY;
	ASSERT_EQ(-EIO, kvm_vmem_get_config(3, &config));
	ASSERT_EQ(0, memcmp(&before, &config, sizeof(config)));
	ASSERT_EQ(-EIO, kvm_vmem_state(3, 0, 1, &response, &state));
	ASSERT_EQ(0x7777, response);
	ASSERT_EQ(0x7777, state);
	ASSERT_EQ(-EIO, kvm_vmem_open());
	ASSERT_EQ(ENOTEMPTY, errno);
}

typedef int (*next_fn)(int fd, uint64_t offset, uint64_t *start, uint64_t *end);

/* All that there is, in units; runs that follow each other directly are one. */
static int collect(next_fn next, uint64_t unit, struct run *runs, unsigned int most)
{
	uint64_t offset = 0, start, end;
	unsigned int nb = 0;
	int ret;

	while ((ret = next(3, offset, &start, &end)) > 0) {
		if (start < offset || end <= start || start % unit || end % unit || nb == most)
			return -ERANGE;
		if (nb && runs[nb - 1].end == start / unit)
			nb--;
		else
			runs[nb].first = start / unit;
		runs[nb++].end = end / unit;
		offset = end;
	}
	return ret ?: (int)nb;
}

#define test_found(next, unit, ...) do { \
	const struct run expected_[] = { __VA_ARGS__ }; \
	unsigned int nb_ = sizeof(expected_) / sizeof(expected_[0]), i_; \
	struct run found_[16]; \
\
	ASSERT_EQ(nb_, collect(next, unit, found_, 16)); \
	for (i_ = 0; i_ < nb_; i_++) { \
		ASSERT_EQ(expected_[i_].first, found_[i_].first); \
		ASSERT_EQ(expected_[i_].end, found_[i_].end); \
	} \
} while (0)

/* At the ends of words and of what is asked for at once. */
#define PLUGGED \
	{ 0, 1 }, { 3, 64 }, { 65, 128 }, { 129, 130 }, { 191, 193 }, { 1000, 1001 }, \
	{ 32767, 32769 }, { 65535, 98304 }, { 131072, 131073 }, { 199999, 200000 }

TEST_F(library, all_plugged_blocks_are_found)
{
	static const struct run some[] = { PLUGGED, {} };
	static const struct run all[] = { { 0, NB_BLOCKS }, {} };

	plugged = some;
	test_found(kvm_vmem_next_plugged, BLOCK, PLUGGED);
	plugged = all;
	test_found(kvm_vmem_next_plugged, BLOCK, { 0, NB_BLOCKS });
}

TEST_F(library, the_next_plugged_memory_begins_where_it_is_asked_for)
{
	static const struct run some[] = { { 2, 4 }, {} };
	static const struct run none[] = { {} };
	uint64_t start = 0, end = 0;

	plugged = some;
	ASSERT_EQ(1, kvm_vmem_next_plugged(3, 3 * BLOCK + 1, &start, &end));
	ASSERT_EQ(3 * BLOCK + 1, start);
	ASSERT_EQ(4 * BLOCK, end);
	ASSERT_EQ(0, kvm_vmem_next_plugged(3, 4 * BLOCK, &start, &end));
	ASSERT_EQ(0, kvm_vmem_next_plugged(3, NB_BLOCKS * BLOCK, &start, &end));
	ASSERT_EQ(0, kvm_vmem_next_plugged(3, UINT64_MAX, &start, &end));
	ASSERT_EQ(4 * BLOCK, end);
	plugged = none;
	ASSERT_EQ(0, kvm_vmem_next_plugged(3, 0, &start, &end));
}

TEST_F(library, data_is_what_is_plugged_and_no_hole)
{
	/* Blocks of 256 pages. */
	static const struct run some[] = { { 1, 3 }, { 4, 5 }, { 6, 7 }, { 9, 11 }, {} };
	static const struct run pages[] = {
		{ 0, 10 }, { 250, 260 }, { 300, 301 }, { 700, 1100 }, { 1279, 1281 },
		{ 2000, 9999 }, {}
	};
	static const struct run none[] = { {} };

	plugged = some;
	data = pages;
	test_found(kvm_vmem_next_data, PAGE, { 256, 260 }, { 300, 301 }, { 700, 768 },
		   { 1024, 1100 }, { 1279, 1280 }, { 2304, 2816 });
	data = none;
	ASSERT_EQ(0, collect(kvm_vmem_next_data, PAGE, NULL, 0));
}

TEST_F(library, of_memory_of_the_VMM_all_that_is_plugged_is_data)
{
	static const struct run some[] = { { 1, 3 }, { 4, 5 }, {} };

	plugged = some;
	errno = ENOTEMPTY;
	test_found(kvm_vmem_next_data, BLOCK, { 1, 3 }, { 4, 5 });
	ASSERT_EQ(ENOTEMPTY, errno);
}

TEST_F(library, a_device_is_restored_from_the_guest_s_form)
{
	const struct virtio_mem_config config = {
		.block_size = htole64(BLOCK), .region_size = htole64(NB_BLOCKS * BLOCK),
		.addr = htole64(0x123456000), .node_id = htole16(0x1234),
		.usable_region_size = htole64(0x9876543000),
		.plugged_size = htole64(9 * BLOCK), .requested_size = htole64(3 * BLOCK),
	};
	static const struct run none[] = { {} };
	const uint64_t bitmap[1] = { 0 };

	plugged = none;
	ASSERT_EQ(0, kvm_vmem_restore(3, &config, bitmap));
	ASSERT_EQ(sizeof(noted.set), noted.set.size);
	ASSERT_EQ(BLOCK, noted.set.block_size);
	ASSERT_EQ(NB_BLOCKS * BLOCK, noted.set.region_size);
	ASSERT_EQ(NB_BLOCKS, noted.set.nb_blocks);
	ASSERT_EQ(0x123456000, noted.set.addr);
	ASSERT_EQ(0x1234, noted.set.node_id);
	ASSERT_EQ(0x9876543000, noted.set.usable_region_size);
	ASSERT_EQ((uintptr_t)bitmap, noted.set.bitmap);
	/* First what is plugged has to be allowed. */
	ASSERT_EQ(2, noted.nb_requested_sizes);
	ASSERT_EQ(9 * BLOCK, noted.requested_sizes[0]);
	ASSERT_EQ(3 * BLOCK, noted.requested_sizes[1]);
}

TEST_F(library, a_restore_that_fails_puts_the_requested_size_back)
{
	const struct virtio_mem_config config = {
		.plugged_size = htole64(2 * BLOCK), .requested_size = htole64(3 * BLOCK),
	};
	static const struct run none[] = { {} };
	const uint64_t bitmap[1] = { 0 };

	plugged = none;
	noted.set_error = EDOM;
	ASSERT_EQ(-EDOM, kvm_vmem_restore(3, &config, bitmap));
	ASSERT_EQ(2, noted.nb_requested_sizes);
	ASSERT_EQ(3 * BLOCK, noted.requested_sizes[0]);
	ASSERT_EQ(7 * BLOCK, noted.requested_sizes[1]);
}

TEST_HARNESS_MAIN
