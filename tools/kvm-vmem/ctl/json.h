/* SPDX-License-Identifier: GPL-2.0 */
/* JSON as vmemctl(1) documents it. */
#ifndef VMEMCTL_JSON_H
#define VMEMCTL_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "names.h"

/* What a byte that is not ASCII becomes: JSON is UTF-8, and a label may be anything. */
#define REPLACEMENT "\xef\xbf\xbd"

/* New members; no memory ends the program. */
void json_add(struct json_object *object, const char *name, struct json_object *value);
void json_add_number(struct json_object *object, const char *name, uint64_t number);
/* Seconds, with three digits after the point. */
void json_add_seconds(struct json_object *object, const char *name, int64_t ms);
void json_add_text(struct json_object *object, const char *name, const char *string);

/* Name and label; and all facts. */
struct json_object *json_device_names(const struct device *device);
struct json_object *json_device(const struct device *device);
/* An array of all. */
struct json_object *json_devices(const struct devices *devices);

/* Takes @object. On one line, or indented. Returns an exit status. */
int json_print(struct json_object *object, bool on_one_line);

#endif /* VMEMCTL_JSON_H */
