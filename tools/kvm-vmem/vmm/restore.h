/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine from a file, or from another vmem-vmm: the destination's side. See
 * migrate.h for who runs when.
 */
#ifndef RESTORE_H
#define RESTORE_H

/**
 * restore_from_file() - make the machine what a file has
 * @path: The file
 * @signals: A file that can be read when the user wants to end it
 *
 * Instead of machine_boot(). Ends the program, after it has said why, if that fails.
 */
void restore_from_file(const char *path, int signals);

/**
 * restore_from_peer() - wait for another vmem-vmm, and take its machine
 * @text: The address (channel.h) to wait at
 * @signals: Likewise
 *
 * Likewise. When it returns the machine has to run, and runs nowhere else.
 */
void restore_from_peer(const char *text, int signals);

#endif /* RESTORE_H */
