/* The runtime's own descriptions of types (abi.Type), which stripped programs have too.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_TYPES_H
#define CORESCAN_GOLANG_TYPES_H

#include "golang/golang.h"

/* abi.Type has been laid out so since Go 1.17. */
struct go_type {
	uint64_t size;	   /* of a value */
	uint64_t pointers; /* how much of it, from the front, may hold pointers */
	uint64_t mask;	   /* address of a bit for each of those words; 0: it is not there */
};

/* The type described at `address`. False where no type can be. */
bool go_type_read(const struct go_process *process, uint64_t address, struct go_type *type);

/* Its name as Go writes it ("chan int", "*main.entry"), in the pool; NULL: not known. */
const char *go_type_name(const struct go_process *process, uint64_t address);

#endif
