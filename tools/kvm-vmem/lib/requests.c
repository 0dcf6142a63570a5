// SPDX-License-Identifier: MIT
/* The requests of a virtio-mem driver, in the host's form and in the guest's. */
#include <endian.h>
#include <string.h>

#include "call.h"

static int make_request(int fd, unsigned long command,
			struct kvm_vmem_request *request, uint16_t *response)
{
	int ret;

	request->size = sizeof(*request);
	ret = call(fd, command, request);
	if (!ret)
		*response = request->out_response;
	return ret;
}

int kvm_vmem_plug(int fd, uint64_t addr, uint32_t nb_blocks,
		  uint16_t *response)
{
	struct kvm_vmem_request request = {
		.addr = addr,
		.nb_blocks = nb_blocks,
	};

	return make_request(fd, KVM_VMEM_PLUG, &request, response);
}

int kvm_vmem_unplug(int fd, uint64_t addr, uint32_t nb_blocks, uint32_t flags,
		    uint16_t *response)
{
	struct kvm_vmem_request request = {
		.flags = flags,
		.addr = addr,
		.nb_blocks = nb_blocks,
	};

	return make_request(fd, KVM_VMEM_UNPLUG, &request, response);
}

int kvm_vmem_unplug_all(int fd, uint32_t flags, uint16_t *response)
{
	struct kvm_vmem_request request = { .flags = flags };

	return make_request(fd, KVM_VMEM_UNPLUG_ALL, &request, response);
}

int kvm_vmem_state(int fd, uint64_t addr, uint32_t nb_blocks,
		   uint16_t *response, uint16_t *state)
{
	struct kvm_vmem_request request = {
		.addr = addr,
		.nb_blocks = nb_blocks,
	};
	int ret = make_request(fd, KVM_VMEM_STATE, &request, response);

	if (!ret && *response == VIRTIO_MEM_RESP_ACK)
		*state = request.out_state;
	return ret;
}

/* In host byte order; @response is what to say if the host fails. */
static int dispatch(int fd, const struct virtio_mem_req *req,
		    uint16_t *response, uint16_t *state)
{
	*response = VIRTIO_MEM_RESP_BUSY;
	switch (le16toh(req->type)) {
	case VIRTIO_MEM_REQ_PLUG:
		return kvm_vmem_plug(fd, le64toh(req->u.plug.addr),
				     le16toh(req->u.plug.nb_blocks), response);
	case VIRTIO_MEM_REQ_UNPLUG:
		return kvm_vmem_unplug(fd, le64toh(req->u.unplug.addr),
				       le16toh(req->u.unplug.nb_blocks), 0,
				       response);
	case VIRTIO_MEM_REQ_UNPLUG_ALL:
		return kvm_vmem_unplug_all(fd, 0, response);
	case VIRTIO_MEM_REQ_STATE:
		*response = VIRTIO_MEM_RESP_ERROR;
		return kvm_vmem_state(fd, le64toh(req->u.state.addr),
				      le16toh(req->u.state.nb_blocks), response,
				      state);
	default:
		*response = VIRTIO_MEM_RESP_ERROR;
		return -EPROTO;
	}
}

int kvm_vmem_handle_request(int fd, const struct virtio_mem_req *req,
			    struct virtio_mem_resp *resp)
{
	struct virtio_mem_resp answer;
	struct virtio_mem_req copy;
	uint16_t response, state = 0;
	int ret;

	memcpy(&copy, req, sizeof(copy));
	/* Or the compiler may read guest memory again instead of the copy. */
	__asm__ volatile("" : "+m"(copy));
	ret = dispatch(fd, &copy, &response, &state);

	memset(&answer, 0, sizeof(answer));
	answer.type = htole16(response);
	answer.u.state.state = htole16(state);
	memcpy(resp, &answer, sizeof(answer));
	return ret;
}
