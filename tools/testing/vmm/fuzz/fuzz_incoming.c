// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's reader of streams under libFuzzer. An input is a stream as it is; or, as
 * nobody finds a checksum by chance, what is in its sections, which are given headers
 * that are right: two bytes for the type and the instance each, two for the length.
 */
#include "../incoming_rig.h"

static int write_sections(struct tape *tape, const uint8_t *data, size_t size)
{
	static struct stream_writer writer;
	int ret;

	writer.write = tape_write;
	writer.owner = tape;
	writer.nb_sections = 0;
	ret = stream_write_preface(&writer);
	while (ret == 0 && size >= 4) {
		size_t length = data[2] | data[3] << 8;

		if (length > size - 4)
			length = size - 4;
		ret = stream_write(&writer, data[0], data[1], data + 4, length);
		data += 4 + length;
		size -= 4 + length;
	}
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct incoming_rig rig;
	int ret;

	rig.tape.size = 0;
	if (!size)
		return 0;
	if (*data & 1)
		tape_write(&rig.tape, data + 1, size - 1);
	else
		write_sections(&rig.tape, data + 1, size - 1);
	if (!incoming_rig_reset(&rig))
		return 0;
	ret = incoming_read(&rig.incoming);
	/* What is refused is refused for a reason; what is not is complete. */
	if (ret < 0 ? !*rig.incoming.reader.wrong :
		      rig.nb_plugs != RIG_VMEMS || rig.incoming.stage != INCOMING_END)
		abort();
	if (rig.tape.at > rig.tape.size || rig.nb_plugs > RIG_VMEMS)
		abort();
	return 0;
}
