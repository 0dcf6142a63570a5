// SPDX-License-Identifier: GPL-2.0
/*
 * The library's byte order and its errors, on the machine that builds it: its
 * sources, as if the host were big endian, with an ioctl() that notes what it is
 * given. On the little endian machines there are, forgotten conversions show
 * nowhere else.
 */
#include <kselftest_harness.h>

#include <endian.h>
#include <fcntl.h>
#include <sys/ioctl.h>

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

__attribute__((noipa))
static int noted_ioctl(int fd, unsigned long command, void *arg);
static int noted_open(const char *path, int flags);

#include "../../../kvm-vmem/lib/device.c"
#include "../../../kvm-vmem/lib/requests.c"

static struct {
	unsigned long command;
	struct kvm_vmem_request request;
	int error;
} noted;

static int noted_open(const char *path, int flags)
{
	errno = noted.error;
	return -1;
}

static int noted_ioctl(int fd, unsigned long command, void *arg)
{
	struct kvm_vmem_get_config *config = arg;
	struct kvm_vmem_request *request = arg;

	noted.command = command;
	errno = noted.error;
	if (noted.error)
		return -1;
	switch (command) {
	case KVM_VMEM_GET_CONFIG:
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

TEST_HARNESS_MAIN
