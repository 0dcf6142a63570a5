// SPDX-License-Identifier: GPL-2.0
/* A stock guest's console, which is the VMM's standard input and output. */
#include "linux_harness.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <utmp.h>

#include "patience.h"

FIXTURE(console) {
	struct linux_guest guest;
};

FIXTURE_SETUP(console)
{
}

FIXTURE_TEARDOWN(console)
{
	linux_stop(&self->guest);
}

/* Two pages; poll() wants one of them empty. */
#define PIPE_SIZE 8192
#define NR_LINES 3000

/* Until as much was said as there is room for. */
static bool is_full(int fd)
{
	int length;

	return becomes(!ioctl(fd, FIONREAD, &length) && length > PIPE_SIZE / 2,
		       LINUX_COMMAND_TIME);
}

TEST_F(console, waits_for_who_reads_it)
{
	struct linux_guest *guest = &self->guest;
	unsigned int number = 0;
	const char *line;

	guest_eq(guest, 0, linux_vmm_boot(guest, LINUX_APPEND, NULL));
	ASSERT_EQ(PIPE_SIZE, fcntl(guest->console_fd, F_SETPIPE_SZ, PIPE_SIZE));
	guest_eq(guest, 0, linux_send(guest, "seq 3000; poweroff -f\n"));
	ASSERT_TRUE(is_full(guest->console_fd));
	sleep(1);
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_COMMAND_TIME));
	for (line = guest->console.text + guest->seen; number < NR_LINES; line++) {
		guest_eq(guest, ++number, strtoul(line, NULL, 10));
		line = strchr(line, '\n');
		ASSERT_NE(NULL, line);
	}
}

FIXTURE(terminal) {
	pid_t vmm;
	/* The other end of the VMM's terminal. */
	int fd;
	struct termios before;
};

FIXTURE_SETUP(terminal)
{
	int terminal;

	ASSERT_EQ(0, openpty(&self->fd, &terminal, NULL, NULL, NULL));
	ASSERT_EQ(0, tcgetattr(terminal, &self->before));
	self->vmm = fork();
	ASSERT_LE(0, self->vmm);
	if (!self->vmm) {
		login_tty(terminal);
		execlp("vmem-vmm", "vmem-vmm", "--kernel", LINUX_KERNEL, NULL);
		_exit(127);
	}
	/* The terminal stays, to be looked at. */
}

FIXTURE_TEARDOWN(terminal)
{
	kill(self->vmm, SIGKILL);
	waitpid(self->vmm, NULL, 0);
	close(self->fd);
}

/* What the guest writes must be read, or it waits. */
static bool says_something(int fd, int seconds)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char buf[4096];

	return poll(&pollfd, 1, 1000 * seconds) == 1 && read(fd, buf, sizeof(buf)) > 0;
}

/* The VMM's exit status, or -ETIMEDOUT. */
static int ends(pid_t vmm, int fd, int seconds)
{
	int status;

	for (; seconds; seconds--) {
		while (says_something(fd, 0))
			;
		if (waitpid(vmm, &status, WNOHANG))
			return status;
		sleep(1);
	}
	return -ETIMEDOUT;
}

/* Structures have holes. */
static bool same_terminal(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

TEST_F(terminal, is_left_as_it_was)
{
	struct termios during, after;

	ASSERT_TRUE(says_something(self->fd, LINUX_BOOT_TIME));
	ASSERT_EQ(0, tcgetattr(self->fd, &during));
	ASSERT_TRUE(self->before.c_lflag & ICANON);
	ASSERT_FALSE(during.c_lflag & (ICANON | ECHO | ISIG));

	/* Ctrl-A twice is one for the guest, and x then is no command. */
	ASSERT_EQ(3, write(self->fd, "\001\001x", 3));
	ASSERT_EQ(-ETIMEDOUT, ends(self->vmm, self->fd, 2));

	ASSERT_EQ(2, write(self->fd, "\001x", 2));
	ASSERT_EQ(0, ends(self->vmm, self->fd, LINUX_END_TIME));
	ASSERT_EQ(0, tcgetattr(self->fd, &after));
	ASSERT_TRUE(same_terminal(&self->before, &after));
}

TEST_HARNESS_MAIN
