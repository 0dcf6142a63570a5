// SPDX-License-Identifier: GPL-2.0
#include "ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "terminal.h"

/* Of the first time that output could not be written, which is when errno says why. */
static int output_error;

void flush_some(void)
{
	if (fflush(stdout) && !output_error)
		output_error = errno;
}

int flush(void)
{
	flush_some();
	if (!output_error && !ferror(stdout))
		return 0;
	/* Whoever closed the pipe has seen enough. */
	if (output_error == EPIPE)
		return STATUS_FAILED;
	return fail(STATUS_FAILED, "cannot write: %s", strerror(output_error ?: EIO));
}

int fail(int status, const char *format, ...)
{
	va_list args;

	terminal_give_back();
	flush_some();
	fputs("vmemctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

void *must(void *memory)
{
	if (!memory)
		exit(fail(STATUS_FAILED, "out of memory"));
	return memory;
}

char *text(const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	return must(len < 0 ? NULL : text);
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}
