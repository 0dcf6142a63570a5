/* SPDX-License-Identifier: GPL-2.0 */
/* The whole terminal, for as long as it is needed. */
#ifndef VMEMCTL_TERMINAL_H
#define VMEMCTL_TERMINAL_H

#include <stdbool.h>

/* Whether standard output is one that can be drawn on. */
bool terminal_can_draw(void);

/* Takes the terminal, and the signals by which it must be given back. -errno. */
int terminal_take(void);
/* Harmless if it was not taken. */
void terminal_give_back(void);

/**
 * enum terminal_event - what ended a wait
 * @TERMINAL_TIMEOUT: The time is over
 * @TERMINAL_REDRAW: The terminal changed, or another key was pressed
 * @TERMINAL_QUIT: The key is q
 */
enum terminal_event {
	TERMINAL_TIMEOUT,
	TERMINAL_REDRAW,
	TERMINAL_QUIT,
};

/* A signal that ends the program ends it here, the terminal given back. */
enum terminal_event terminal_wait(int ms);

#endif /* VMEMCTL_TERMINAL_H */
