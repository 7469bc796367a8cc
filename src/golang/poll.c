/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "golang/poll.h"

#include "golang/goroutines.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Innermost frames and bytes of the stack that are searched. */
#define FRAMES_SEARCHED 12
#define BYTES_SEARCHED	4096
#define FD_MAX		(1u << 30)

/* IP (a slice), Port, Zone. */
static const char *socket_address(const struct go_process *process, uint64_t at)
{
	struct go_slice ip;
	uint8_t bytes[16];
	uint64_t port;
	char text[INET6_ADDRSTRLEN];
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	if (!go_slice_at(process, at, &ip) || !address_space_u64(process->space, at + 24, &port) ||
	    port > 65535)
		return NULL;
	if (ip.count == 0)
		return string_pool_format(modules_strings(process->modules), ":%" PRIu64, port);
	if ((ip.count != 4 && ip.count != 16) ||
	    !address_space_probe(process->space, ip.address, bytes, ip.count))
		return NULL;
	bool four = ip.count == 4 || memcmp(bytes, mapped, sizeof mapped) == 0;
	if (inet_ntop(four ? AF_INET : AF_INET6, ip.count == 16 && four ? bytes + 12 : bytes, text,
		      sizeof text) == NULL)
		return NULL;
	return string_pool_format(modules_strings(process->modules),
				  four ? "%s:%" PRIu64 : "[%s]:%" PRIu64, text, port);
}

const char *go_net_address(const struct go_process *process, uint64_t address, const char *network)
{
	uint64_t type, value;
	char text[256];
	if (!address_space_u64(process->space, address, &type) || type == 0 ||
	    !address_space_u64(process->space, address + 8, &value) || value == 0)
		return NULL;
	if (strncmp(network, "tcp", 3) == 0 || strncmp(network, "udp", 3) == 0)
		return socket_address(process, value);
	if (strncmp(network, "unix", 4) == 0 && go_string_at(process, value, text, sizeof text))
		return string_pool_add(modules_strings(process->modules), text);
	return NULL;
}

enum file_kind { FILE_UNKNOWN, FILE_FILE, FILE_NET };

/* What kind of file it is, by the methods on the stack. `*end` is where the searched frames end. */
static enum file_kind kind_on_stack(const struct go_process *process,
				    const struct goroutine *goroutine, struct go_places *places,
				    uint64_t *end)
{
	struct go_unwind unwind;
	struct go_frame frame;
	enum file_kind kind = FILE_UNKNOWN;
	*end = goroutine->sp;
	goroutine_unwind(process, places, goroutine, &unwind);
	for (unsigned i = 0; i < FRAMES_SEARCHED && go_unwind_next(&unwind, &frame); i++) {
		const char *name = go_function_name(process, &frame.place->function);
		*end = frame.fp;
		if (name != NULL && strncmp(name, "net.(*netFD)", 12) == 0)
			kind = FILE_NET;
		else if (name != NULL && strncmp(name, "os.(*File)", 10) == 0)
			kind = FILE_FILE;
		else if (kind == FILE_UNKNOWN)
			continue;
		break;
	}
	return kind;
}

static void tell_file(const struct go_process *process, enum file_kind kind, uint64_t file,
		      struct go_wait *wait)
{
	uint64_t offset;
	char text[256];
	if (kind == FILE_FILE && go_offset(process, GO_FILE_NAME, &offset) &&
	    go_string_at(process, file + offset, text, sizeof text))
		wait->name = string_pool_add(modules_strings(process->modules), text);
	if (kind != FILE_NET || !go_offset(process, GO_NETFD_NET, &offset) ||
	    !go_string_at(process, file + offset, text, 16))
		return;
	if (go_offset(process, GO_NETFD_LADDR, &offset))
		wait->name = go_net_address(process, file + offset, text);
	if (go_offset(process, GO_NETFD_RADDR, &offset))
		wait->peer = go_net_address(process, file + offset, text);
}

/* The pollDesc that names the goroutine as its reader or writer. */
static uint64_t find_poll(const struct go_process *process, uint64_t g, const uint8_t *words,
			  size_t size)
{
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t at = bytes_unsigned(words + i, 8, false), fd;
		if (at >= 4096 && (at & 7) == 0 && at >> 48 == 0 &&
		    (go_pointer(process, at, GO_POLLDESC_RG) == g ||
		     go_pointer(process, at, GO_POLLDESC_WG) == g) &&
		    go_read(process, at, GO_POLLDESC_FD, 8, &fd) && fd < FD_MAX)
			return at;
	}
	return 0;
}

void go_poll_find(const struct go_process *process, const struct goroutine *goroutine,
		  struct go_places *places, struct go_wait *wait)
{
	uint8_t words[BYTES_SEARCHED];
	uint64_t end, fd, offset;
	enum file_kind kind = kind_on_stack(process, goroutine, places, &end);
	if (goroutine->sp == 0 || end <= goroutine->sp)
		return;
	size_t size = end - goroutine->sp < sizeof words ? end - goroutine->sp : sizeof words;
	if (!address_space_probe(process->space, goroutine->sp, words, size))
		return;
	uint64_t poll = find_poll(process, goroutine->address, words, size);
	if (poll == 0 || !go_read(process, poll, GO_POLLDESC_FD, 8, &fd) ||
	    !go_offset(process, GO_FD_PD, &offset))
		return;
	wait->fd = (int32_t)fd;
	/* os.file and net.netFD both begin with the poll.FD that names the pollDesc. */
	for (size_t i = 0; kind != FILE_UNKNOWN && i + 8 <= size; i += 8) {
		uint64_t file = bytes_unsigned(words + i, 8, false), named;
		if (file < 4096 || (file & 7) != 0 || file >> 48 != 0 ||
		    !address_space_u64(process->space, file + offset, &named) || named != poll)
			continue;
		tell_file(process, kind, file, wait);
		return;
	}
}
