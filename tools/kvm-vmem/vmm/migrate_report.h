/* SPDX-License-Identifier: GPL-2.0 */
/* A migration, in words of JSON. */
#ifndef MIGRATE_REPORT_H
#define MIGRATE_REPORT_H

struct json_object;

/* What is known of the last migration; vmem-vmm(1) has its members. From the event loop. */
struct json_object *migrate_report(void);

/* Says on standard error that the machine is elsewhere, if it is. */
void migrate_say_completed(void);

#endif /* MIGRATE_REPORT_H */
