// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm: a small virtual machine monitor, to be read by authors of others.
 *
 * It boots a Linux kernel on KVM with virtio-mem devices, whose memory the
 * kvm-vmem module looks after. A way to read it: vmem_group.c is what the module
 * asks of a VMM, vmem.c the device in front of it, virtio.c and virtqueue.c the
 * transport; machine.c puts the machine together, vcpu.c runs it. migrate.c takes it
 * elsewhere, with vmem_group_migration.c; restore.c has it come from there.
 *
 * The main thread has the event loop and handles all that devices do; each vCPU
 * is a thread, which handles accesses to registers; a migration is one more. Locks are
 * taken one at a time, but for machine_stop(), which may be called with any.
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
#include "migrate_report.h"
#include "options.h"
#include "restore.h"
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

static struct loop_source signals;

/* They end the machine as the user would, in the event loop. */
static int take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals.handle = signalled;
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals.fd < 0)
		return -errno;
	return loop_add(&signals, EPOLLIN);
}

int main(int argc, char **argv)
{
	struct options options;
	enum vmm_exit status;
	int ret;

	options_parse(&options, argc, argv);
	/* That nobody reads what the guest writes is not its fault. */
	signal(SIGPIPE, SIG_IGN);
	machine_create(&options);
	ret = take_signals();
	if (ret < 0)
		die(VMM_EXIT_FAILED, "no signals: %s", strerror(-ret));
	if (options.restore)
		restore_from_file(options.restore, signals.fd);
	else if (options.incoming)
		restore_from_peer(options.incoming, signals.fd);
	else
		machine_boot();
	if (options.control) {
		ret = control_create(options.control);
		if (ret < 0)
			die(VMM_EXIT_FAILED, "--control %s: %s", options.control, strerror(-ret));
	}
	status = machine_run(options.restore || options.incoming);
	migrate_say_completed();
	control_remove();
	return status;
}
