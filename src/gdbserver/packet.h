/* Packets on the wire: $BYTES#CHECKSUM, with '}' before bytes that mean something else. Pure
 * functions of the bytes; tests/fuzz/fuzz_protocol.c feeds them anything.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GDBSERVER_PACKET_H
#define CORESCAN_GDBSERVER_PACKET_H

#include "base/array.h"

#include <stdint.h>

/* The largest packet either way, as qSupported tells it: the bytes between $ and #. */
#define PACKET_MAX 0x10000

enum packet_event {
	PACKET_NONE,	  /* more bytes are needed, or this one means nothing */
	PACKET_WHOLE,	  /* .bytes holds a packet */
	PACKET_DAMAGED,	  /* the checksum is wrong: it is to be sent again */
	PACKET_TOO_LONG,  /* more than PACKET_MAX bytes, which are not kept */
	PACKET_INTERRUPT, /* Ctrl-C, between packets */
	PACKET_AGAIN,	  /* the other side wants our last packet again */
};

struct packet_reader {
	enum { READER_BETWEEN, READER_INSIDE, READER_FIRST_DIGIT, READER_SECOND_DIGIT } state;
	bool escaped; /* the next byte is one that was escaped */
	bool too_long;
	uint8_t sum;	 /* of the bytes as they were sent */
	uint8_t claimed; /* as the first digit has it */
	bool bad_digit;
	char bytes[PACKET_MAX + 1]; /* unescaped; a NUL follows them */
	size_t size;
};

/* Takes the next byte of a zeroed reader. After PACKET_WHOLE the packet stays until the next. */
enum packet_event packet_reader_take(struct packet_reader *reader, uint8_t byte);

/* Bytes on their way out. */
struct reply {
	ARRAY(char) bytes;
	bool no_memory;
};

void reply_clear(struct reply *reply);
void reply_free(struct reply *reply);
void reply_bytes(struct reply *reply, const void *bytes, size_t size);
void reply_text(struct reply *reply, const char *text);
void reply_format(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Two hexadecimal digits for each byte. */
void reply_hex(struct reply *reply, const void *bytes, size_t size);
void reply_hex_text(struct reply *reply, const char *text);

/* `text` as the content or an attribute of an XML element: what XML, or a terminal, would take for
 * something else is escaped, and so are bytes that are not UTF-8. */
void reply_xml(struct reply *reply, const char *text);

/* Appends to `wire` the packet whose bytes are those of `reply`. */
void packet_write(const struct reply *reply, struct reply *wire);

/* A number in hexadecimal at `*at`, which moves behind it. False when there is none, or it does not
 * fit. */
bool packet_number(const char **at, uint64_t *number);

/* As packet_number, and the character `end` behind it, which `*at` passes ('\0': the end). */
bool packet_number_to(const char **at, uint64_t *number, char end);

/* Decodes pairs of digits up to the first other character, into at most `size` bytes, and a NUL
 * behind them when `size` allows. Returns how many bytes there were; false when a digit stands
 * alone, or there is no room. `*at` moves behind them. */
bool packet_unhex(const char **at, char *bytes, size_t size, size_t *count);

#endif
