/* SPDX-License-Identifier: MIT */
/* How the library calls the device. */
#ifndef KVM_VMEM_CALL_H
#define KVM_VMEM_CALL_H

#include <errno.h>
#include <sys/ioctl.h>

#include "kvm-vmem.h"

/* Not repeated at EINTR: the device gives that only for a fatal signal. */
static inline int call(int fd, unsigned long command, void *arg)
{
	int saved = errno, ret = 0;

	if (ioctl(fd, command, arg)) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

/* A call that has nothing but flags. */
static inline int act(int fd, unsigned long command, uint32_t flags)
{
	struct kvm_vmem_action arg = { .size = sizeof(arg), .flags = flags };

	return call(fd, command, &arg);
}

#endif /* KVM_VMEM_CALL_H */
