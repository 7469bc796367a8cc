/* DWARF expressions over registers and memory of our own: what they compute, what cannot be told,
 * and what hostile ones do.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_target.h"
#include "threads/location.h"

#include <check.h>
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#define DATA 0x500000

enum { RAX = 0, RBX = 3, RBP = 6, RSP = 7 };

struct scene {
	struct target *target;
	struct frame_registers registers;
	struct location_place place;
	struct location location;
};

static enum location_outcome base_at_1000(void *context, uint64_t *base)
{
	(void)context;
	*base = 0x1000;
	return LOCATION_FOUND;
}

static void begin(struct scene *scene)
{
	memset(scene, 0, sizeof *scene);
	scene->target = fake_target_new();
	fake_target_map(scene->target, DATA, 0x1000, "rw-p", NULL);
	fake_target_seal(scene->target);
	fake_target_put64(scene->target, DATA, 0x1122334455667788);
	fake_target_put64(scene->target, DATA + 8, DATA);
	scene->registers.values[RBX] = DATA;
	scene->registers.values[RBP] = 0xfffffffffffffffe;
	scene->registers.known = 1u << RBX | 1u << RBP;
	scene->place = (struct location_place){
		.arch = scene->target->arch,
		.space = scene->target->space,
		.registers = &scene->registers,
		.bias = 0x10,
		.frame_base = base_at_1000,
	};
}

static void end(struct scene *scene)
{
	target_close(scene->target);
}

/* Offsets as if every operation took 3 bytes, as a jump does. */
static enum location_outcome evaluate(struct scene *scene, Dwarf_Op *operations, size_t count)
{
	for (size_t i = 0; i < count; i++)
		operations[i].offset = 3 * i;
	return location_evaluate(&scene->place, NULL, operations, count, &scene->location);
}

#define EVALUATE(scene, ...)                                                                       \
	evaluate(scene, (Dwarf_Op[]){ __VA_ARGS__ },                                               \
		 sizeof((Dwarf_Op[]){ __VA_ARGS__ }) / sizeof(Dwarf_Op))

#define OP(operation, ...) ((Dwarf_Op){ .atom = (operation), __VA_ARGS__ })

/* The number that the operations leave, as DW_OP_stack_value has it. */
#define NUMBER_IS(expected, ...)                                                                   \
	do {                                                                                       \
		struct scene scene;                                                                \
		begin(&scene);                                                                     \
		ck_assert_int_eq(EVALUATE(&scene, __VA_ARGS__, OP(DW_OP_stack_value)),             \
				 LOCATION_FOUND);                                                  \
		ck_assert_int_eq(scene.location.pieces[0].kind, LOCATION_VALUE);                   \
		ck_assert_uint_eq(scene.location.pieces[0].number, (uint64_t)(expected));          \
		end(&scene);                                                                       \
	} while (0)

#define OUTCOME_IS(expected, ...)                                                                  \
	do {                                                                                       \
		struct scene scene;                                                                \
		begin(&scene);                                                                     \
		ck_assert_int_eq(EVALUATE(&scene, __VA_ARGS__), expected);                         \
		end(&scene);                                                                       \
	} while (0)

START_TEST(arithmetic)
{
	NUMBER_IS(7, OP(DW_OP_lit3), OP(DW_OP_lit4), OP(DW_OP_plus));
	NUMBER_IS(-1, OP(DW_OP_lit3), OP(DW_OP_lit4), OP(DW_OP_minus));
	NUMBER_IS(-3, OP(DW_OP_const1s, .number = (uint64_t)-7), OP(DW_OP_lit2), OP(DW_OP_div));
	NUMBER_IS(1, OP(DW_OP_lit7), OP(DW_OP_lit3), OP(DW_OP_mod));
	/* Remainders of the generic type have no sign. */
	NUMBER_IS(15 % 10, OP(DW_OP_const1s, .number = (uint64_t)-1), OP(DW_OP_lit10),
		  OP(DW_OP_mod));
	NUMBER_IS(12, OP(DW_OP_lit3), OP(DW_OP_lit4), OP(DW_OP_mul));
	NUMBER_IS(-5, OP(DW_OP_lit5), OP(DW_OP_neg));
	NUMBER_IS(5, OP(DW_OP_lit5), OP(DW_OP_neg), OP(DW_OP_abs));
	NUMBER_IS(~(uint64_t)5, OP(DW_OP_lit5), OP(DW_OP_not));
	NUMBER_IS(40, OP(DW_OP_lit5), OP(DW_OP_lit3), OP(DW_OP_shl));
	NUMBER_IS(0, OP(DW_OP_lit5), OP(DW_OP_const1u, .number = 64), OP(DW_OP_shl));
	NUMBER_IS(-1, OP(DW_OP_lit1), OP(DW_OP_neg), OP(DW_OP_const1u, .number = 200),
		  OP(DW_OP_shra));
	NUMBER_IS(0x7fffffffffffffff, OP(DW_OP_lit1), OP(DW_OP_neg), OP(DW_OP_lit1), OP(DW_OP_shr));
	NUMBER_IS(1, OP(DW_OP_lit1), OP(DW_OP_neg), OP(DW_OP_lit1), OP(DW_OP_lt));
	NUMBER_IS(0, OP(DW_OP_lit1), OP(DW_OP_lit1), OP(DW_OP_ne));
	NUMBER_IS(13, OP(DW_OP_lit10), OP(DW_OP_plus_uconst, .number = 3));
	/* INT64_MIN / -1 has no answer, and must not stop us. */
	NUMBER_IS(INT64_MIN, OP(DW_OP_lit1), OP(DW_OP_const1u, .number = 63), OP(DW_OP_shl),
		  OP(DW_OP_lit1), OP(DW_OP_neg), OP(DW_OP_div));
}
END_TEST

START_TEST(the_stack_is_rearranged)
{
	NUMBER_IS(1, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_drop));
	NUMBER_IS(1, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_over));
	NUMBER_IS(1, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_swap));
	NUMBER_IS(1, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_lit3), OP(DW_OP_pick, .number = 2));
	/* 1 2 3 becomes 3 1 2. */
	NUMBER_IS(2, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_lit3), OP(DW_OP_rot));
	NUMBER_IS(1, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_lit3), OP(DW_OP_rot), OP(DW_OP_drop));
	NUMBER_IS(4, OP(DW_OP_lit2), OP(DW_OP_dup), OP(DW_OP_plus));
}
END_TEST

START_TEST(registers_and_memory)
{
	NUMBER_IS(DATA + 4, OP(DW_OP_breg3, .number = 4));
	NUMBER_IS(DATA, OP(DW_OP_bregx, .number = RBX, .number2 = 0));
	NUMBER_IS(0xffe, OP(DW_OP_fbreg, .number = (uint64_t)-2));
	NUMBER_IS(DATA + 0x10, OP(DW_OP_addr, .number = DATA));
	NUMBER_IS(0x1122334455667788, OP(DW_OP_breg3), OP(DW_OP_deref));
	NUMBER_IS(0x7788, OP(DW_OP_breg3), OP(DW_OP_deref_size, .number = 2));
	NUMBER_IS(DATA, OP(DW_OP_breg3, .number = 8), OP(DW_OP_deref));
}
END_TEST

START_TEST(a_location_is_read)
{
	struct scene scene;
	uint32_t value;
	uint64_t address;
	begin(&scene);
	ck_assert_int_eq(EVALUATE(&scene, OP(DW_OP_breg3)), LOCATION_FOUND);
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 4, &value, sizeof value),
			 LOCATION_FOUND);
	ck_assert_uint_eq(value, 0x11223344);
	ck_assert(location_address(&scene.location, 4, &address));
	ck_assert_uint_eq(address, DATA + 4);
	ck_assert_int_eq(EVALUATE(&scene, OP(DW_OP_reg6)), LOCATION_FOUND);
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 0, &value, sizeof value),
			 LOCATION_FOUND);
	ck_assert_uint_eq(value, 0xfffffffe);
	ck_assert(!location_address(&scene.location, 0, &address));
	/* More than a register holds. */
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 6, &value, sizeof value),
			 LOCATION_NOT_EVALUATED);
	ck_assert_int_eq(EVALUATE(&scene, OP(DW_OP_reg0)), LOCATION_FOUND);
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 0, &value, sizeof value),
			 LOCATION_REGISTER_LOST);
	end(&scene);
}
END_TEST

START_TEST(pieces)
{
	struct scene scene;
	uint64_t value;
	uint32_t half;
	begin(&scene);
	ck_assert_int_eq(EVALUATE(&scene, OP(DW_OP_reg6), OP(DW_OP_piece, .number = 4),
				  OP(DW_OP_breg3), OP(DW_OP_piece, .number = 4),
				  OP(DW_OP_piece, .number = 4)),
			 LOCATION_FOUND);
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 0, &value, sizeof value),
			 LOCATION_FOUND);
	ck_assert_uint_eq(value, 0x55667788fffffffe);
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 8, &half, sizeof half),
			 LOCATION_OPTIMIZED_OUT);
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 6, &half, sizeof half),
			 LOCATION_OPTIMIZED_OUT);
	/* Behind all pieces there is nothing. */
	ck_assert_int_eq(location_read(&scene.place, &scene.location, 12, &half, sizeof half),
			 LOCATION_OPTIMIZED_OUT);
	end(&scene);
}
END_TEST

START_TEST(what_cannot_be_told)
{
	OUTCOME_IS(LOCATION_OPTIMIZED_OUT, OP(DW_OP_nop));
	OUTCOME_IS(LOCATION_OPTIMIZED_OUT, OP(DW_OP_implicit_pointer));
	OUTCOME_IS(LOCATION_REGISTER_LOST, OP(DW_OP_breg0));
	OUTCOME_IS(LOCATION_REGISTER_LOST, OP(DW_OP_bregx, .number = UINT64_MAX));
	OUTCOME_IS(LOCATION_MEMORY_MISSING, OP(DW_OP_lit0), OP(DW_OP_deref));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_call_frame_cfa));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_entry_value));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_implicit_value));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_call4));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(0xff));
}
END_TEST

START_TEST(hostile_expressions_end)
{
	/* Round and round. */
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_skip, .number = (uint64_t)-3));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_dup),
		   OP(DW_OP_bra, .number = (uint64_t)-6));
	/* To where no operation begins. */
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_skip, .number = 1), OP(DW_OP_lit1));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_skip, .number = (uint64_t)-100));
	/* More than the stack holds. */
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_dup),
		   OP(DW_OP_skip, .number = (uint64_t)-6));
	/* Less than is needed. */
	static const uint8_t takers[] = { DW_OP_dup,	DW_OP_drop, DW_OP_over,	       DW_OP_swap,
					  DW_OP_rot,	DW_OP_plus, DW_OP_plus_uconst, DW_OP_deref,
					  DW_OP_neg,	DW_OP_bra,  DW_OP_stack_value, DW_OP_pick,
					  DW_OP_convert };
	for (size_t i = 0; i < sizeof takers; i++)
		OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(takers[i]));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_plus));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_lit2), OP(DW_OP_rot));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_pick, .number = UINT64_MAX));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_lit0), OP(DW_OP_div));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_lit1), OP(DW_OP_lit0), OP(DW_OP_mod));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_breg3), OP(DW_OP_deref_size, .number = 9));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_breg3), OP(DW_OP_deref_size, .number = 0));
	/* A register's location is no number to go on with. */
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_reg3), OP(DW_OP_lit1));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_reg3), OP(DW_OP_piece, .number = 0));
	OUTCOME_IS(LOCATION_NOT_EVALUATED, OP(DW_OP_reg3), OP(DW_OP_piece, .number = 4),
		   OP(DW_OP_lit1));
}
END_TEST

START_TEST(more_pieces_than_there_are_places)
{
	struct scene scene;
	Dwarf_Op operations[2 * (LOCATION_PIECES_MAX + 1)];
	begin(&scene);
	for (size_t i = 0; i < sizeof operations / sizeof *operations; i += 2) {
		operations[i] = OP(DW_OP_reg3);
		operations[i + 1] = OP(DW_OP_piece, .number = 1);
	}
	ck_assert_int_eq(evaluate(&scene, operations, 2 * LOCATION_PIECES_MAX), LOCATION_FOUND);
	ck_assert_int_eq(evaluate(&scene, operations, 2 * LOCATION_PIECES_MAX + 2),
			 LOCATION_NOT_EVALUATED);
	end(&scene);
}
END_TEST

/* Any operations at all: they must end, and under the sanitizers do no harm. */
START_TEST(random_expressions_do_no_harm)
{
	srandom(4711);
	struct scene scene;
	begin(&scene);
	for (int round = 0; round < 20000; round++) {
		Dwarf_Op operations[12];
		uint64_t buffer[8];
		for (size_t i = 0; i < 12; i++)
			operations[i] = (Dwarf_Op){ .atom = (uint8_t)random(),
						    .number = (uint64_t)(random() % 40 - 20),
						    .number2 = (uint64_t)random() };
		if (evaluate(&scene, operations, 12) == LOCATION_FOUND)
			location_read(&scene.place, &scene.location, (uint64_t)random() % 32,
				      buffer, sizeof buffer);
	}
	end(&scene);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("location");
	TCase *all = tcase_create("all");
	tcase_add_test(all, arithmetic);
	tcase_add_test(all, the_stack_is_rearranged);
	tcase_add_test(all, registers_and_memory);
	tcase_add_test(all, a_location_is_read);
	tcase_add_test(all, pieces);
	tcase_add_test(all, what_cannot_be_told);
	tcase_add_test(all, hostile_expressions_end);
	tcase_add_test(all, more_pieces_than_there_are_places);
	tcase_add_test(all, random_expressions_do_no_harm);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
