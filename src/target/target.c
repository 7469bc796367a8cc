/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target/target.h"

#include <elf.h>

struct target *target_new(enum target_kind kind, const struct arch *arch,
			  address_space_reader *reader, void *context)
{
	struct target *target = calloc(1, sizeof *target);
	if (target == NULL)
		return NULL;
	target->space = address_space_new(reader, context);
	if (target->space == NULL) {
		free(target);
		return NULL;
	}
	target->kind = kind;
	target->arch = arch;
	address_space_set_big_endian(target->space, arch->elf_data == ELFDATA2MSB);
	return target;
}

struct target *target_new_memory(const struct arch *arch)
{
	return target_new(TARGET_MEMORY, arch, NULL, NULL);
}

void target_resume(struct target *target)
{
	if (target->resume == NULL)
		return;
	void (*resume)(struct target *) = target->resume;
	target->resume = NULL;
	address_space_freeze(target->space);
	resume(target);
}

void target_close(struct target *target)
{
	if (target == NULL)
		return;
	target_resume(target);
	if (target->close != NULL)
		target->close(target);
	address_space_free(target->space);
	array_free(&target->threads);
	array_free(&target->kernel_words);
	free((char *)target->path);
	free((char *)target->comm);
	free((char *)target->command);
	free((char *)target->exe);
	free((char *)target->root);
	free((char *)target->stopped_because);
	free(target->auxv);
	free(target);
}

bool target_auxv(const struct target *target, uint64_t type, uint64_t *value)
{
	for (size_t i = 0; i < target->auxv_count; i++) {
		if (target->auxv[i].type == type) {
			*value = target->auxv[i].value;
			return true;
		}
	}
	return false;
}
