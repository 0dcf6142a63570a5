// SPDX-License-Identifier: GPL-2.0
#include "uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the kernel sends; 2 is what udev makes of it. */
#define GROUP_KERNEL 1

int uevent_open(void)
{
	const struct sockaddr_nl addr = {
		.nl_family = AF_NETLINK,
		.nl_groups = GROUP_KERNEL,
	};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* "add@/devices/virtual/kvm_vmem/vmem0", and further strings. */
static bool is_ours(const char *message)
{
	return strstr(message, "/kvm_vmem/");
}

bool uevent_read(int fd)
{
	bool ours = false;
	char buf[4096];
	ssize_t len;

	for (;;) {
		len = recv(fd, buf, sizeof(buf) - 1, 0);
		if (len >= 0) {
			buf[len] = 0;
			ours |= is_ours(buf);
		} else if (errno == ENOBUFS) {
			/* There were too many. */
			ours = true;
		} else if (errno != EINTR) {
			return ours;
		}
	}
}
