/* What gdb tells, read from its text.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "gdb/gdb_session.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct gdb_session session;

static struct error *tell(const char *text)
{
	FILE *in = fmemopen((char *)text, strlen(text), "r");
	ck_assert_ptr_nonnull(in);
	session = (struct gdb_session){ 0 };
	struct error *error = gdb_session_read(in, &session);
	fclose(in);
	return error;
}

static void refused(const char *text, enum error_code code, const char *why)
{
	struct error *error = tell(text);
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(error->code, code);
	ck_assert_msg(strstr(error->message, why) != NULL, "%s", error->message);
	error_free(error);
}

#define INFERIOR(connection)                                                                       \
	"@inferiors\n"                                                                             \
	"  Num  Description       Connection           Executable        \n"                       \
	"  1    process 4         1 (native)           /bin/other        \n"                       \
	"* 2    process 18140     " connection "           /srv/app        \n"
#define CORE_FILES                                                                                 \
	"@files\nSymbols from \"/srv/app\".\nLocal core dump file:\n"                              \
	"\t`/tmp/it's, file type x', file type elf64-x86-64.\n"                                    \
	"\t0x1 - 0x2 is load1\nLocal exec file:\n\t`/srv/app', file type elf64-x86-64.\n"
#define NATIVE_FILES                                                                               \
	"@files\nSymbols from \"/srv/app\".\nNative process:\n\tUsing the running image.\n"        \
	"Local exec file:\n\t`/srv/app', file type elf64-x86-64.\n"
#define GENERAL                                                                                    \
	"@general f e d c 6 3 b a 9 8 0 2 1 4 5 ffffffffffffffff 401000 33 246 7ffe0000 2b "       \
	"7f00 0 0 0 0 0\n"

START_TEST(core_is_found)
{
	struct error *error =
	    tell("@style\nCLI output styling is disabled.\n@sysroot\n"
		 "The current system root is \"/srv/root\".\n" INFERIOR("1 (core)") CORE_FILES
		 "@threads\n@end\n");
	ck_assert_ptr_null(error);
	ck_assert_str_eq(session.core, "/tmp/it's, file type x");
	ck_assert_str_eq(session.exe, "/srv/app");
	ck_assert_str_eq(session.sysroot, "/srv/root");
	ck_assert_int_eq(session.pid, 0);
	ck_assert(session.plain && !session.has_address);
	gdb_session_end(&session);
}
END_TEST

START_TEST(process_and_its_registers_are_found)
{
	struct error *error =
	    tell("@address\n0x7f00\n@style\nCLI output styling is enabled.\n@sysroot\n"
		 "The current system root is \"\".\n" INFERIOR("1 (native)") NATIVE_FILES
		 "@threads\n\nThread 2 (Thread 0x7f (LWP 18144) \"a (LWP 1)\"):\n" GENERAL
		 "@extended 1 a1 a2 b1 b2\n@extended 2 c1 c2\n"
		 "st0            0                   (raw 0x3fff8000000000000001)\n"
		 "@signal 11 1 dead 7\n\n"
		 "Thread 1 (Thread 0x7e (LWP 18140)):\n" GENERAL "@signal 6 -6 0 99\n@end\n");
	ck_assert_ptr_null(error);
	ck_assert_ptr_null(session.core);
	ck_assert_ptr_null(session.sysroot);
	ck_assert_int_eq(session.pid, 18140);
	ck_assert(session.has_address && !session.plain);
	ck_assert_uint_eq(session.address, 0x7f00);
	ck_assert_uint_eq(session.threads.list.count, 2);
	const struct held_thread *thread = &session.threads.list.items[0];
	ck_assert_int_eq(thread->tid, 18144);
	ck_assert_uint_eq(arch_pc(&arch_x86_64, &thread->registers), 0x401000);
	ck_assert_uint_eq(arch_sp(&arch_x86_64, &thread->registers), 0x7ffe0000);
	ck_assert_uint_eq(arch_thread_pointer(&arch_x86_64, &thread->registers), 0x7f00);
	ck_assert_uint_eq(thread->registers.unknown, 0);
	ck_assert_ptr_eq(thread->registers.extended, thread->extended);
	ck_assert_uint_eq(thread->extended[160], 0xa1);
	ck_assert_uint_eq(thread->extended[168], 0xa2);
	ck_assert_uint_eq(thread->extended[176], 0xb1);
	ck_assert_uint_eq(thread->extended[576 + 8], 0xc2);
	ck_assert_uint_eq(thread->extended[32], 0x01);
	ck_assert_uint_eq(thread->extended[39], 0x80);
	ck_assert_uint_eq(thread->extended[40], 0xff);
	ck_assert_uint_eq(thread->extended[41], 0x3f);
	ck_assert_int_eq(thread->signal.number, 11);
	ck_assert_uint_eq(thread->signal.address, 0xdead);
	ck_assert_int_eq(session.threads.list.items[1].tid, 18140);
	ck_assert_int_eq(session.threads.list.items[1].signal.sender, 99);
	gdb_session_end(&session);
}
END_TEST

START_TEST(what_cannot_be_looked_at_is_refused)
{
	refused("", ERROR_BAD_DATA, "");
	refused("@files\n" CORE_FILES, ERROR_BAD_DATA, "");
	refused("@end\n", ERROR_UNSUPPORTED, "neither a core nor a process");
	refused(INFERIOR("1 (remote :1234)") "@files\nRemote target:\n@threads\n@end\n",
		ERROR_UNSUPPORTED, "remote :1234");
	refused(INFERIOR("1 (remote :1234)") "@files\nRemote target:\n@threads\n@end\n",
		ERROR_UNSUPPORTED, "generate-core-file");
	/* What a recording replays is not what the process's memory holds. */
	refused(INFERIOR("1 (remote | rr)") NATIVE_FILES "@threads\n@end\n", ERROR_UNSUPPORTED,
		"remote | rr");
}
END_TEST

START_TEST(odd_registers_are_left_out)
{
	struct error *error =
	    tell(INFERIOR("1 (native)") NATIVE_FILES
		 "@threads\n@general 1 2 3\nThread 1 (process 18140):\n@general 1 2 3\n"
		 "@extended 77 1 2\n@extended x\n@signal many\nst9 (raw 0x00)\nThread 3 (odd):\n"
		 "@general 1\n@end\n");
	ck_assert_ptr_null(error);
	ck_assert_uint_eq(session.threads.list.count, 1);
	ck_assert_int_eq(session.threads.list.items[0].tid, 18140);
	ck_assert_uint_eq(session.threads.list.items[0].registers.general_size, 0);
	ck_assert_ptr_null(session.threads.list.items[0].registers.extended);
	gdb_session_end(&session);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gdb");
	TCase *tests = tcase_create("all");
	tcase_add_test(tests, core_is_found);
	tcase_add_test(tests, process_and_its_registers_are_found);
	tcase_add_test(tests, what_cannot_be_looked_at_is_refused);
	tcase_add_test(tests, odd_registers_are_left_out);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
