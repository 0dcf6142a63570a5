// SPDX-License-Identifier: GPL-2.0
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

void json_add(struct json_object *object, const char *name, struct json_object *value)
{
	if (json_object_object_add(object, name, value))
		must(NULL);
}

void json_add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_add(object, name, must(json_object_new_uint64(number)));
}

void json_add_seconds(struct json_object *object, const char *name, int64_t ms)
{
	char *digits = text("%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);

	json_add(object, name, must(json_object_new_double_s(ms / 1000.0, digits)));
	free(digits);
}

void json_add_text(struct json_object *object, const char *name, const char *string)
{
	char *copy = must(malloc(strlen(string) * strlen(REPLACEMENT) + 1)), *at = copy;

	for (; *string; string++) {
		if (*string & 0x80)
			at = stpcpy(at, REPLACEMENT);
		else
			*at++ = *string;
	}
	*at = 0;
	json_add(object, name, must(json_object_new_string(copy)));
	free(copy);
}

struct json_object *json_device_names(const struct device *device)
{
	struct json_object *object = must(json_object_new_object());

	json_add_text(object, "name", device->name);
	json_add_text(object, "label", device->label);
	return object;
}

struct json_object *json_device(const struct device *device)
{
	struct json_object *counters = must(json_object_new_object());
	struct json_object *object = json_device_names(device);
	unsigned int fact;

	for (fact = 0; fact < NR_FACTS; fact++) {
		const char *slash = strchr(fact_files[fact], '/');

		if (slash)
			json_add_number(counters, slash + 1, device->facts[fact]);
		else if (fact == FACT_LAST_VIOLATION && !device->facts[FACT_VIOLATIONS])
			json_add(object, fact_files[fact], NULL);
		else
			json_add_number(object, fact_files[fact], device->facts[fact]);
	}
	json_add(object, "counters", counters);
	return object;
}

struct json_object *json_devices(const struct devices *devices)
{
	struct json_object *array = must(json_object_new_array());
	size_t i;

	for (i = 0; i < devices->nb; i++)
		if (json_object_array_add(array, json_device(&devices->list[i])))
			must(NULL);
	return array;
}

int json_print(struct json_object *object, bool on_one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (!on_one_line)
		flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	puts(must((void *)json_object_to_json_string_ext(object, flags)));
	json_object_put(object);
	return flush();
}
