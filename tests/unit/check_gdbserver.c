/* The server of gdb's protocol: framing, numbers, and registers on the wire.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <config.h>

#include "gdbserver/packet.h"
#include "gdbserver/registers.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct packet_reader reader;
static struct reply reply, wire;

static void setup(void)
{
	memset(&reader, 0, sizeof reader);
	reply = wire = (struct reply){ 0 };
}

static void teardown(void)
{
	reply_free(&reply);
	reply_free(&wire);
}

/* The last event that is one. */
static enum packet_event take(const char *bytes, size_t size)
{
	enum packet_event last = PACKET_NONE;
	for (size_t i = 0; i < size; i++) {
		const enum packet_event event = packet_reader_take(&reader, (uint8_t)bytes[i]);
		if (event != PACKET_NONE)
			last = event;
	}
	return last;
}

static enum packet_event take_text(const char *text)
{
	return take(text, strlen(text));
}

START_TEST(packets_are_taken)
{
	ck_assert_int_eq(take_text("+$qC#b4"), PACKET_WHOLE);
	ck_assert_str_eq(reader.bytes, "qC");
	ck_assert_int_eq(take_text("$#00"), PACKET_WHOLE);
	ck_assert_uint_eq(reader.size, 0);
	/* "a}\x03b" is "a#b". */
	ck_assert_int_eq(take_text("$a}\003b#43"), PACKET_WHOLE);
	ck_assert_str_eq(reader.bytes, "a#b");
	ck_assert_int_eq(take_text("\003"), PACKET_INTERRUPT);
	ck_assert_int_eq(take_text("-"), PACKET_AGAIN);
}
END_TEST

START_TEST(damaged_packets_are_told)
{
	ck_assert_int_eq(take_text("$qC#b5"), PACKET_DAMAGED);
	ck_assert_int_eq(take_text("$qC#zz"), PACKET_DAMAGED);
	ck_assert_int_eq(take_text("$qC#b"), PACKET_NONE);
	ck_assert_int_eq(take_text("!"), PACKET_DAMAGED);
	/* One that never ended, and the next. */
	ck_assert_int_eq(take_text("$m0,1$qC#b4"), PACKET_WHOLE);
	ck_assert_str_eq(reader.bytes, "qC");
	ck_assert_int_eq(take_text("nonsense#00}"), PACKET_NONE);
}
END_TEST

START_TEST(long_packets_are_passed_over)
{
	packet_reader_take(&reader, '$');
	for (size_t i = 0; i < PACKET_MAX; i++)
		ck_assert_int_eq(packet_reader_take(&reader, 'a'), PACKET_NONE);
	uint8_t sum = (uint8_t)(PACKET_MAX * 'a');
	char end[8];
	snprintf(end, sizeof end, "#%02x", sum);
	ck_assert_int_eq(take_text(end), PACKET_WHOLE);
	ck_assert_uint_eq(reader.size, PACKET_MAX);
	packet_reader_take(&reader, '$');
	for (size_t i = 0; i < 3 * PACKET_MAX; i++)
		ck_assert_int_eq(packet_reader_take(&reader, 'a'), PACKET_NONE);
	sum = (uint8_t)(3u * PACKET_MAX * 'a');
	snprintf(end, sizeof end, "#%02x", sum);
	ck_assert_int_eq(take_text(end), PACKET_TOO_LONG);
	ck_assert_int_eq(take_text("$qC#b4"), PACKET_WHOLE);
}
END_TEST

START_TEST(what_is_written_is_taken)
{
	char bytes[256];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)i;
	reply_bytes(&reply, bytes, sizeof bytes);
	packet_write(&reply, &wire);
	ck_assert_int_eq(take(wire.bytes.items, wire.bytes.count), PACKET_WHOLE);
	ck_assert_uint_eq(reader.size, sizeof bytes);
	ck_assert_mem_eq(reader.bytes, bytes, sizeof bytes);
}
END_TEST

START_TEST(numbers_are_read)
{
	uint64_t number;
	const char *at = "1f,ffffffffffffffff:";
	ck_assert(packet_number_to(&at, &number, ',') && number == 0x1f);
	ck_assert(packet_number_to(&at, &number, ':') && number == UINT64_MAX && *at == '\0');
	at = "10000000000000000";
	ck_assert(!packet_number(&at, &number));
	at = "x";
	ck_assert(!packet_number(&at, &number));
	at = "12;";
	ck_assert(!packet_number_to(&at, &number, ','));
	at = "12";
	ck_assert(packet_number_to(&at, &number, '\0'));
}
END_TEST

START_TEST(digits_are_decoded)
{
	char bytes[4];
	size_t count;
	const char *at = "6162,";
	ck_assert(packet_unhex(&at, bytes, sizeof bytes, &count) && count == 2 && *at == ',');
	ck_assert_str_eq(bytes, "ab");
	at = "616";
	ck_assert(!packet_unhex(&at, bytes, sizeof bytes, &count));
	at = "6161616161";
	ck_assert(!packet_unhex(&at, bytes, sizeof bytes, &count));
}
END_TEST

START_TEST(text_is_made_harmless)
{
	reply_xml(&reply, "a<b>&\"c\"\n\xff");
	reply_bytes(&reply, "", 1);
	ck_assert_str_eq(reply.bytes.items, "a&lt;b&gt;&amp;&quot;c&quot;\\n\\xff");
}
END_TEST

static const char *register_text(const struct registers *registers, uint64_t number)
{
	reply_clear(&reply);
	ck_assert(wire_register(wire_arch_find(&arch_x86_64), registers, number, &reply));
	reply_bytes(&reply, "", 1);
	return reply.bytes.items;
}

START_TEST(registers_have_their_places)
{
	struct registers registers = { 0 };
	uint8_t extended[832] = { 0 };
	arch_forget_registers(&arch_x86_64, &registers);
	ck_assert_str_eq(register_text(&registers, 0), "xxxxxxxxxxxxxxxx");
	ck_assert_str_eq(register_text(&registers, 40), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	arch_set_register(&arch_x86_64, &registers, arch_x86_64.pc, 0x1122334455667788);
	arch_set_register(&arch_x86_64, &registers, arch_x86_64.thread_pointer, 7);
	ck_assert_str_eq(register_text(&registers, 16), "8877665544332211");
	ck_assert_str_eq(register_text(&registers, 58), "0700000000000000");
	/* The top of the stack is physical register 6, which holds 1.0; 7 is zero, others empty. */
	extended[3] = 6 << 3;
	extended[4] = 0xc0;
	extended[32 + 7] = 0x80;
	extended[32 + 8] = 0xff;
	extended[32 + 9] = 0x3f;
	extended[160] = 0xab;
	extended[576 + 16 * 15 + 15] = 0xcd;
	registers.extended = extended;
	registers.extended_size = sizeof extended;
	ck_assert_str_eq(register_text(&registers, 24), "0000000000000080ff3f");
	ck_assert_str_eq(register_text(&registers, 34), "ff4f0000");
	ck_assert_str_eq(register_text(&registers, 40), "ab000000000000000000000000000000");
	ck_assert_str_eq(register_text(&registers, 75), "000000000000000000000000000000cd");
	ck_assert(!wire_register(wire_arch_find(&arch_x86_64), &registers, 76, &reply));
	registers.extended_size = 512; /* without AVX */
	ck_assert_str_eq(register_text(&registers, 75), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	reply_clear(&reply);
	wire_registers(wire_arch_find(&arch_x86_64), &registers, &reply);
	/* 560 bytes without AVX, as gdb has them, and 16 halves of 16 bytes. */
	ck_assert_uint_eq(reply.bytes.count, 2 * (560 + 256));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gdbserver");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, packets_are_taken);
	tcase_add_test(tests, damaged_packets_are_told);
	tcase_add_test(tests, long_packets_are_passed_over);
	tcase_add_test(tests, what_is_written_is_taken);
	tcase_add_test(tests, numbers_are_read);
	tcase_add_test(tests, digits_are_decoded);
	tcase_add_test(tests, text_is_made_harmless);
	tcase_add_test(tests, registers_have_their_places);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
