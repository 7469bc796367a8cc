/* Whatever a debugger sends: a whole session of it over memory of our own. scripts/fuzz builds and
 * runs it, by libFuzzer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/gdbserver.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct target *target;
static struct modules *modules;
static struct gaps gaps;
static struct threads threads;
static struct wait waits_items[2];
static struct waits waits = { .items = waits_items };
static struct subject subject;
static uint8_t memory[8192];
static int input, output;

/* What a command says is not what is looked at here. */
static struct error *ask(void *context, const char *command, int *answer, pid_t *child)
{
	(void)context;
	(void)command;
	(void)answer;
	(void)child;
	return error_new(ERROR_UNSUPPORTED, "no commands here");
}

static void add_thread(int32_t tid, const char *name)
{
	struct target_thread thread = { .tid = tid, .stopped = true };
	snprintf(thread.name, sizeof thread.name, "%s", name);
	arch_forget_registers(target->arch, &thread.registers);
	for (size_t i = 0; i < target->arch->register_count; i++)
		arch_set_register(target->arch, &thread.registers, i, 0x10000 + i);
	thread.registers.extended = memory;
	thread.registers.extended_size = 832;
	array_push(&target->threads, thread);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct target_auxv auxv[] = { { AT_PAGESZ, 4096 } };
	static const struct thread listed[2] = { { .tid = 100, .name = "main" },
						 { .tid = 101, .name = "a\"<&\xff" } };
	(void)argc;
	(void)argv;
	target = target_new_memory(&arch_x86_64);
	target->pid = 100;
	target->exe = strdup("/srv/app");
	target->command = strdup("app -x");
	target->auxv = memcpy(malloc(sizeof auxv), auxv, sizeof auxv);
	target->auxv_count = 1;
	target->signal = (struct target_signal){ .number = 11, .code = 1, .has_details = true };
	add_thread(100, "main");
	add_thread(101, "a\"<&\xff");
	const struct segment segment = { .start = 0x10000,
					 .end = 0x10000 + sizeof memory,
					 .origin = SEGMENT_CORE,
					 .permissions = SEGMENT_READ | SEGMENT_WRITE,
					 .permissions_known = true,
					 .name = "/srv/\napp",
					 .bytes = memory };
	error_free(address_space_add(target->space, &segment));
	error_free(address_space_seal(target->space));
	const struct modules_options how = { 0 };
	struct error *error = modules_open(target, &how, &gaps, &modules);
	if (error != NULL) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	for (size_t i = 0; i < 2; i++)
		waits_items[i] = (struct wait){ .thread = &listed[i], .text = "waits for <x>" };
	waits.count = 2;
	threads = (struct threads){ .count = 0 };
	subject = (struct subject){
		.target = target, .modules = modules, .threads = &threads, .gaps = &gaps
	};
	input = memfd_create("input", MFD_CLOEXEC);
	output = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gdbserver server = { .subject = &subject, .waits = &waits, .ask = ask };
	if (ftruncate(input, 0) != 0 || pwrite(input, data, size, 0) != (ssize_t)size ||
	    lseek(input, 0, SEEK_SET) != 0)
		return 0;
	error_free(gdbserver_serve(&server, input, output));
	return 0;
}
