/* x86-64's registers, in the features that gdb's manual names ("i386 Features"). The extended ones
 * lie as XSAVE has them: the Intel manual's volume 1, chapters 10.5 and 13.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/registers.h"

#include "base/bytes.h"

#define GENERAL(name, type)                                                                        \
	{                                                                                          \
		name, type, NULL, 64, WIRE_GENERAL, 0, 0, 0, 0, 0                                  \
	}
#define SEGMENT(name)                                                                              \
	{                                                                                          \
		name, "int32", NULL, 32, WIRE_GENERAL, 0, 0, 0, 0, 0                               \
	}
#define FLOAT(name, offset, size, mask)                                                            \
	{                                                                                          \
		name, "int", "float", 32, WIRE_EXTENDED, offset, size, 0, 0, mask                  \
	}

static const struct wire_register core[] = {
	GENERAL("rax", "int64"),
	GENERAL("rbx", "int64"),
	GENERAL("rcx", "int64"),
	GENERAL("rdx", "int64"),
	GENERAL("rsi", "int64"),
	GENERAL("rdi", "int64"),
	GENERAL("rbp", "data_ptr"),
	GENERAL("rsp", "data_ptr"),
	GENERAL("r8", "int64"),
	GENERAL("r9", "int64"),
	GENERAL("r10", "int64"),
	GENERAL("r11", "int64"),
	GENERAL("r12", "int64"),
	GENERAL("r13", "int64"),
	GENERAL("r14", "int64"),
	GENERAL("r15", "int64"),
	GENERAL("rip", "code_ptr"),
	{ "eflags", "i386_eflags", NULL, 32, WIRE_GENERAL, 0, 0, 0, 0, 0 },
	SEGMENT("cs"),
	SEGMENT("ss"),
	SEGMENT("ds"),
	SEGMENT("es"),
	SEGMENT("fs"),
	SEGMENT("gs"),
	{ "st#", "i387_ext", NULL, 80, WIRE_EXTENDED, 32, 10, 16, 8, 0 },
	FLOAT("fctrl", 0, 2, 0xffff),
	FLOAT("fstat", 2, 2, 0xffff),
	{ "ftag", "int", "float", 32, WIRE_EXTENDED_TAG, 0, 160, 0, 0, 0 },
	FLOAT("fiseg", 12, 2, 0xffff),
	FLOAT("fioff", 8, 4, 0),
	FLOAT("foseg", 20, 2, 0xffff),
	FLOAT("fooff", 16, 4, 0),
	FLOAT("fop", 6, 2, 0x7ff),
};

static const struct wire_register sse[] = {
	{ "xmm#", "vec128", NULL, 128, WIRE_EXTENDED, 160, 16, 16, 16, 0 },
	{ "mxcsr", "i386_mxcsr", "vector", 32, WIRE_EXTENDED, 24, 4, 0, 0, 0 },
};

static const struct wire_register linux_registers[] = { GENERAL("orig_rax", "int64") };

static const struct wire_register segments[] = { GENERAL("fs_base", "int64"),
						 GENERAL("gs_base", "int64") };

static const struct wire_register avx[] = {
	{ "ymm#h", "uint128", NULL, 128, WIRE_EXTENDED, 576, 16, 16, 16, 0 },
};

static const char flag_types[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
    "<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
    "<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
    "<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
    "<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
    "<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"
    "<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"ID\" start=\"21\" end=\"21\"/>"
    "</flags>\n";

static const char vector_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
    "</flags>\n";

#define FEATURE(name, types, registers)                                                            \
	{                                                                                          \
		"org.gnu.gdb.i386." name, types, registers, sizeof registers / sizeof *registers   \
	}

static const struct wire_feature features[] = {
	FEATURE("core", flag_types, core),
	FEATURE("sse", vector_types, sse),
	FEATURE("linux", NULL, linux_registers),
	FEATURE("segments", NULL, segments),
	FEATURE("avx", NULL, avx),
};

/* Of a register that is in use: 0, or 1 for zero, or 2 for what is no normal number. */
static unsigned tag_of(const uint8_t *value)
{
	const uint64_t mantissa = bytes_unsigned(value, 8, false);
	const unsigned exponent = (unsigned)bytes_unsigned(value + 8, 2, false) & 0x7fff;
	if (exponent == 0 && mantissa == 0)
		return 1;
	return exponent == 0 || exponent == 0x7fff || mantissa >> 63 == 0 ? 2 : 0;
}

/* FXSAVE keeps one bit for each of the eight registers, in the order of the hardware; their values
 * stand in the order of the stack, which bits 11 to 13 of the status word begin. */
static uint16_t tag_word(const uint8_t *extended)
{
	const unsigned top = extended[3] >> 3 & 7;
	unsigned word = 0;
	for (unsigned i = 0; i < 8; i++) {
		const bool used = (extended[4] >> i & 1) != 0;
		const uint8_t *value = extended + 32 + 16 * ((i - top) & 7);
		word |= (used ? tag_of(value) : 3) << 2 * i;
	}
	return (uint16_t)word;
}

extern const struct wire_arch wire_x86_64;
const struct wire_arch wire_x86_64 = {
	.arch = &arch_x86_64,
	.architecture = "i386:x86-64",
	.triple = "x86_64--linux-gnu",
	.features = features,
	.feature_count = sizeof features / sizeof *features,
	.tag_word = tag_word,
};
