// SPDX-License-Identifier: GPL-2.0
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stream.h"
#include "vmm.h"

/* Little endian, as this host is. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "x86 only");
_Static_assert(sizeof(struct stream_section) == 32, "it has no holes");

#define SUMMED offsetof(struct stream_section, sum)

/*
 * Fletcher's checksum, of words of 64 bits: finds what a disk or a network does to a
 * stream at the speed of memory, emulated, too. Who changes it on purpose can change
 * the sum as well.
 */
static void sum_up(uint64_t sum[2], const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum[0] += word;
		sum[1] += sum[0];
	}
	if (size) {
		word = 0;
		memcpy(&word, bytes, size);
		sum[0] += word;
		sum[1] += sum[0];
	}
}

static void stream_sum(const struct stream_section *section, const void *payload, uint64_t sum[2])
{
	sum[0] = 1;
	sum[1] = 0;
	sum_up(sum, section, SUMMED);
	sum_up(sum, payload, section->length);
}

int stream_is_wrong(struct stream_reader *reader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->wrong, sizeof(reader->wrong), format, arguments);
	va_end(arguments);
	return -EPROTO;
}

static int read_exactly(struct stream_reader *reader, void *data, size_t size)
{
	int ret = reader->read(reader->owner, data, size);

	if (ret == -ENODATA)
		stream_is_wrong(reader, "the stream ends early, after %llu sections",
				(unsigned long long)reader->nb_sections);
	else if (ret < 0)
		stream_is_wrong(reader, "the stream cannot be read, after %llu sections: %s",
				(unsigned long long)reader->nb_sections, strerror(-ret));
	else
		reader->nb_bytes += size;
	return ret;
}

int stream_read_preface(struct stream_reader *reader)
{
	struct stream_preface preface;
	int ret = read_exactly(reader, &preface, sizeof(preface));

	if (ret < 0)
		return ret;
	if (memcmp(preface.magic, STREAM_MAGIC, sizeof(preface.magic)))
		return stream_is_wrong(reader, "this is no saved machine of vmem-vmm");
	if (preface.version != STREAM_VERSION || preface.flags)
		return stream_is_wrong(reader, "the stream is of version %u.%u, not %u.0",
				       preface.version, preface.flags, STREAM_VERSION);
	return 0;
}

int stream_read(struct stream_reader *reader)
{
	struct stream_section *section = &reader->section;
	uint64_t sum[2];
	int ret;

	ret = read_exactly(reader, section, sizeof(*section));
	if (ret < 0)
		return ret;
	if (section->sequence != (uint32_t)reader->nb_sections)
		return stream_is_wrong(reader, "section %u of the stream is where %u should be",
				       section->sequence, (uint32_t)reader->nb_sections);
	if (section->length > STREAM_MOST)
		return stream_is_wrong(reader, "section %u of the stream has %llu bytes, over %u",
				       section->sequence, (unsigned long long)section->length,
				       STREAM_MOST);
	ret = read_exactly(reader, reader->payload, section->length);
	if (ret < 0)
		return ret;
	stream_sum(section, reader->payload, sum);
	if (sum[0] != section->sum[0] || sum[1] != section->sum[1])
		return stream_is_wrong(reader, "section %u of the stream is damaged",
				       section->sequence);
	reader->nb_sections++;
	return 0;
}

static int write_all(struct stream_writer *writer, const void *data, size_t size)
{
	int ret = writer->write(writer->owner, data, size);

	if (ret == 0)
		writer->nb_bytes += size;
	return ret;
}

int stream_write_preface(struct stream_writer *writer)
{
	struct stream_preface preface = { .version = STREAM_VERSION };

	memcpy(preface.magic, STREAM_MAGIC, sizeof(preface.magic));
	return write_all(writer, &preface, sizeof(preface));
}

void stream_begin(struct stream_writer *writer, enum stream_type type, uint16_t instance)
{
	writer->buffer.section = (struct stream_section){
		.type = type,
		.instance = instance,
		.sequence = writer->nb_sections,
	};
}

void stream_add(struct stream_writer *writer, const void *data, size_t size)
{
	struct stream_section *section = &writer->buffer.section;

	assert(size <= STREAM_MOST - section->length);
	/* Of nothing @data may be NULL, which memcpy() must not be given even then. */
	if (size)
		memcpy(writer->buffer.payload + section->length, data, size);
	section->length += size;
}

int stream_end(struct stream_writer *writer)
{
	struct stream_section *section = &writer->buffer.section;
	uint64_t sum[2];

	stream_sum(section, writer->buffer.payload, sum);
	memcpy(section->sum, sum, sizeof(section->sum));
	writer->nb_sections++;
	return write_all(writer, &writer->buffer, sizeof(*section) + section->length);
}

int stream_write(struct stream_writer *writer, enum stream_type type, uint16_t instance,
		 const void *data, size_t size)
{
	stream_begin(writer, type, instance);
	if (size)
		stream_add(writer, data, size);
	return stream_end(writer);
}
