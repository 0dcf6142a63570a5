/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random operations: most of them such as a VMM and its guest make, the others wrong in
 * all ways. They follow from the seed and the state of the model alone.
 */
#ifndef VMEM_MODEL_GENERATE_H
#define VMEM_MODEL_GENERATE_H

#include "model.h"

#define PLAN_ROOM	64

/**
 * struct generator - where operations come from
 * @state: Of the random numbers
 * @nr_slots: How many slots it uses
 * @slots: Those slots
 * @alone: Nothing else uses the VMs: they may be changed
 * @nr_planned: How many operations are planned
 * @plan: They, the next one last
 */
struct generator {
	uint64_t state;
	unsigned int nr_slots;
	unsigned int slots[NR_SLOTS];
	bool alone;
	unsigned int nr_planned;
	struct op plan[PLAN_ROOM];
};

void generator_init(struct generator *generator, uint64_t seed, bool alone);
void generator_add_slot(struct generator *generator, unsigned int slot);
void generate(struct generator *generator, const struct model *model, struct op *op);

/* Between generate*.c: */

uint64_t random_number(struct generator *generator);
/* Less than @end, which is not 0. */
uint64_t random_below(struct generator *generator, uint64_t end);
/* True once in @n times. */
bool one_in(struct generator *generator, unsigned int n);

/* generate_setup.c: all that it takes to have a device, mostly. */
void generate_life(struct generator *generator, const struct model *model, unsigned int slot);
void generate_attach(struct generator *generator, const struct model *model, struct op *op);
void generate_map(struct generator *generator, const struct model *model, struct op *op);

/* generate_requests.c */
void generate_request(struct generator *generator, const struct model *model, struct op *op);
void generate_requested(struct generator *generator, const struct model *model, struct op *op);
void generate_requested_text(struct generator *generator, const struct model *model,
			     struct op *op);
void generate_words(struct generator *generator, const struct model *model, struct op *op);
void generate_discard(struct generator *generator, const struct model *model, struct op *op);

/* generate_migration.c */
void generate_get_bitmap(struct generator *generator, const struct model *model, struct op *op);
void generate_set_bitmap(struct generator *generator, const struct model *model, struct op *op);
void generate_dirty_log(struct generator *generator, const struct model *model, struct op *op);
void generate_get_dirty_log(struct generator *generator, const struct model *model,
			    struct op *op);
void generate_lseek(struct generator *generator, const struct model *model, struct op *op);

/* The next but those that are planned already. */
void plan(struct generator *generator, const struct op *op);

#endif /* VMEM_MODEL_GENERATE_H */
