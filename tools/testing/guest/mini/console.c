// SPDX-License-Identifier: GPL-2.0
/* Text on COM1, polled. */
#include "mini.h"

#define COM1		0x3f8
#define COM1_LSR	(COM1 + 5)
#define LSR_THRE	0x20

void *memcpy(void *dest, const void *src, size_t n)
{
	void *start = dest;

	asm volatile("rep movsb" : "+D"(dest), "+S"(src), "+c"(n) : : "memory");
	return start;
}

void *memset(void *s, int c, size_t n)
{
	void *start = s;

	asm volatile("rep stosb" : "+D"(s), "+c"(n) : "a"(c) : "memory");
	return start;
}

int memcmp(const void *s1, const void *s2, size_t n)
{
	const uint8_t *x = s1, *y = s2;

	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

bool streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

struct buffer {
	char *at;
	size_t left;
};

static void put(struct buffer *buf, char c)
{
	if (buf->left <= 1)
		return;
	*buf->at++ = c;
	buf->left--;
}

static void put_number(struct buffer *buf, uint64_t value, unsigned int base, int width)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < width)
		digits[n++] = '0';
	while (n)
		put(buf, digits[--n]);
}

static void put_conversion(struct buffer *buf, char conversion, int width, bool is_long,
			   va_list *args)
{
	const char *text;
	int64_t number;

	switch (conversion) {
	case 's':
		for (text = va_arg(*args, const char *); *text; text++)
			put(buf, *text);
		break;
	case 'c':
		put(buf, va_arg(*args, int));
		break;
	case 'd':
		number = is_long ? va_arg(*args, int64_t) : va_arg(*args, int);
		if (number < 0)
			put(buf, '-');
		put_number(buf, number < 0 ? -number : number, 10, width);
		break;
	case 'u':
	case 'x':
		number = is_long ? va_arg(*args, int64_t) : va_arg(*args, unsigned int);
		put_number(buf, number, conversion == 'u' ? 10 : 16, width);
		break;
	default:
		put(buf, conversion);
	}
}

/* %s %c %d %u %x, l or ll before the last three, and a width of zeros. */
void vformat(char *text, size_t size, const char *format, va_list args)
{
	struct buffer buf = { .at = text, .left = size };
	bool is_long;
	va_list copy;
	int width;

	va_copy(copy, args);
	for (; *format; format++) {
		if (*format != '%') {
			put(&buf, *format);
			continue;
		}
		is_long = false;
		width = 0;
		for (format++; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + *format - '0';
		for (; *format == 'l'; format++)
			is_long = true;
		put_conversion(&buf, *format, width, is_long, &copy);
	}
	va_end(copy);
	*buf.at = 0;
}

void format_into(char *buf, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vformat(buf, size, format, args);
	va_end(args);
}

static void print_char(char c)
{
	while (!(in8(COM1_LSR) & LSR_THRE))
		relax();
	out8(COM1, c);
}

void print(const char *format, ...)
{
	char line[256];
	const char *c;
	va_list args;

	va_start(args, format);
	vformat(line, sizeof(line), format, args);
	va_end(args);
	for (c = line; *c; c++)
		print_char(*c);
}
