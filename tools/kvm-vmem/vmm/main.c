// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm: a small virtual machine monitor, to be read by authors of others.
 *
 * It boots a Linux kernel on KVM with virtio-mem devices, whose memory the
 * kvm-vmem module looks after. A way to read it: vmem_group.c is what the module
 * asks of a VMM, vmem.c the device in front of it, virtio.c and virtqueue.c the
 * transport; machine.c puts the machine together, vcpu.c runs it.
 *
 * The main thread has the event loop and handles all that devices do; each vCPU
 * is a thread, which handles accesses to registers. Locks are taken one at a
 * time, but for machine_stop(), which may be called with any.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"
#include "loop.h"
#include "machine.h"
#include "options.h"
#include "vmm.h"

void complain(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "vmem-vmm: %s\n", text);
}

void die(enum vmm_exit status, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	complain("%s", text);
	exit(status);
}

static void signalled(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) == sizeof(info))
		machine_stop(VMM_EXIT_ENDED, NULL);
}

/* They end the machine as the user would, in the event loop. */
static int take_signals(void)
{
	static struct loop_source source;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* That nobody reads what the guest writes is not its fault. */
	signal(SIGPIPE, SIG_IGN);
	source.handle = signalled;
	source.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (source.fd < 0)
		return -errno;
	return loop_add(&source, EPOLLIN);
}

int main(int argc, char **argv)
{
	struct options options;
	enum vmm_exit status;
	int ret;

	options_parse(&options, argc, argv);
	machine_create(&options);
	machine_boot();
	ret = take_signals();
	if (ret < 0)
		die(VMM_EXIT_FAILED, "no signals: %s", strerror(-ret));
	if (options.control) {
		ret = control_create(options.control);
		if (ret < 0)
			die(VMM_EXIT_FAILED, "--control %s: %s", options.control, strerror(-ret));
	}
	status = machine_run();
	control_remove();
	return status;
}
