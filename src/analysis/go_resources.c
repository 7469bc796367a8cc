/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/go_resources.h"

#include "golang/poll.h"
#include "golang/specials.h"

#include <stdio.h>
#include <string.h>

#define TIMERS_MAX (1u << 24)
#define DEFERS_MAX (1u << 24)
#define FD_MAX	   (1u << 30)

/* --- files and connections */

struct finding {
	const struct go_process *process;
	struct go_resources *result;
	bool no_memory;
};

static void add_file(struct finding *finding, uint64_t address)
{
	const struct go_process *process = finding->process;
	struct go_open_file file = { .address = address };
	uint64_t fd, offset;
	char text[256];
	if (!go_read(process, address, GO_FD_SYSFD, 8, &fd) || fd >= FD_MAX ||
	    !go_offset(process, GO_FILE_NAME, &offset) ||
	    !go_string_at(process, address + offset, text, sizeof text))
		return;
	file.fd = (int32_t)fd;
	file.name = string_pool_add(modules_strings(process->modules), text);
	if (!array_push(&finding->result->files, file))
		finding->no_memory = true;
}

static void add_connection(struct finding *finding, uint64_t address)
{
	const struct go_process *process = finding->process;
	struct go_open_file file = { .address = address, .connection = true };
	uint64_t fd, offset;
	char text[16];
	if (!go_read(process, address, GO_FD_SYSFD, 8, &fd) || fd >= FD_MAX ||
	    !go_offset(process, GO_NETFD_NET, &offset) ||
	    !go_string_at(process, address + offset, text, sizeof text))
		return;
	file.fd = (int32_t)fd;
	file.network = string_pool_add(modules_strings(process->modules), text);
	if (go_offset(process, GO_NETFD_LADDR, &offset))
		file.name = go_net_address(process, address + offset, text);
	if (go_offset(process, GO_NETFD_RADDR, &offset))
		file.peer = go_net_address(process, address + offset, text);
	if (!array_push(&finding->result->files, file))
		finding->no_memory = true;
}

/* Both begin with the internal/poll.FD whose descriptor is read. */
static void look_at(void *context, const struct go_special *special)
{
	struct finding *finding = context;
	if (special->kind != GO_SPECIAL_FINALIZER)
		return;
	const char *type =
	    go_type_name(finding->process,
			 go_pointer(finding->process, special->address, GO_SPECIALFINALIZER_OT));
	if (type != NULL && strcmp(type, "*os.file") == 0)
		add_file(finding, special->object);
	else if (type != NULL && strcmp(type, "*net.netFD") == 0)
		add_connection(finding, special->object);
}

static int by_fd(const void *a, const void *b)
{
	const struct go_open_file *left = a, *right = b;
	return left->fd < right->fd ? -1 : left->fd > right->fd;
}

/* --- timers */

static const char *function_of(const struct go_process *process, uint64_t closure)
{
	struct go_function function;
	uint64_t pc;
	if (closure == 0 || !address_space_u64(process->space, closure, &pc) ||
	    !go_function_at(process, pc, &function))
		return NULL;
	return go_function_name(process, &function);
}

static void look_at_timer(struct finding *finding, uint64_t timer)
{
	const struct go_process *process = finding->process;
	uint64_t period, argument, channel;
	if (!go_read(process, timer, GO_TIMER_PERIOD, 8, &period) || (int64_t)period <= 0 ||
	    !go_offset(process, GO_TIMER_ARG, &argument))
		return;
	const char *name = function_of(process, go_pointer(process, timer, GO_TIMER_F));
	if (name == NULL || strcmp(name, "time.sendTime") != 0 ||
	    !address_space_u64(process->space, timer + argument + 8, &channel))
		return;
	struct go_ticker ticker = {
		.address = timer,
		.period = (int64_t)period,
		.awaited = go_pointer(process, channel, GO_HCHAN_RECVQ_FIRST) != 0,
	};
	/* The channel of one that can be collected knows its timer. */
	if (go_pointer(process, channel, GO_HCHAN_TIMER) == 0)
		finding->result->tickers_are_kept = true;
	if (!array_push(&finding->result->tickers, ticker))
		finding->no_memory = true;
}

/* A processor's timers are a slice of pointers; since Go 1.23 of pairs of pointer and time. */
static void find_tickers(struct finding *finding)
{
	const struct go_process *process = finding->process;
	uint64_t p, timer, seen = 0;
	for (uint64_t i = 0; i < process->processors.count && i < 4096; i++) {
		struct go_slice timers;
		uint64_t step = 16;
		if (!address_space_u64(process->space, process->processors.address + 8 * i, &p))
			continue;
		if (!go_read_slice(process, p, GO_P_TIMERS_HEAP, &timers)) {
			step = 8;
			if (!go_read_slice(process, p, GO_P_TIMERS, &timers))
				continue;
		}
		for (uint64_t k = 0; k < timers.count && seen < TIMERS_MAX; k++, seen++) {
			if (!address_space_u64(process->space, timers.address + step * k, &timer))
				break;
			look_at_timer(finding, timer);
		}
	}
}

/* --- goroutines */

static void count_defers(struct finding *finding, const struct goroutine *one)
{
	const struct go_process *process = finding->process;
	struct go_defers defers = { .goroutine = one };
	uint64_t at = go_pointer(process, one->address, GO_G_DEFER);
	if (at != 0)
		defers.function = function_of(process, go_pointer(process, at, GO_DEFER_FN));
	while (at != 0 && defers.count < DEFERS_MAX) {
		defers.count++;
		at = go_pointer(process, at, GO_DEFER_LINK);
	}
	if (defers.count >= GO_DEFERS_MIN && !array_push(&finding->result->defers, defers))
		finding->no_memory = true;
}

static int by_count(const void *a, const void *b)
{
	const struct go_defers *left = a, *right = b;
	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return left->goroutine < right->goroutine ? -1 : left->goroutine > right->goroutine;
}

/* net/http's persistConn says whom it is connected to: since Go 1.19 its key, of the strings proxy,
 * scheme and address, is at 24. The reader has it in its frames. */
#define BODIES_TRACED  100000
#define STACK_SEARCHED 2048
enum { KEY_SCHEME = 24 + 16, KEY_ADDRESS = 24 + 32 };

static const char *peer_at(const struct go_process *process, uint64_t connection)
{
	char text[256];
	if (!go_string_at(process, connection + KEY_SCHEME, text, 8) ||
	    (strcmp(text, "http") != 0 && strcmp(text, "https") != 0) ||
	    !go_string_at(process, connection + KEY_ADDRESS, text, sizeof text))
		return NULL;
	return string_pool_add(modules_strings(process->modules), text);
}

static const char *find_peer(const struct finding *finding, const struct goroutine *one)
{
	uint8_t words[STACK_SEARCHED];
	const char *peer = NULL;
	size_t size = one->stack_high - one->sp;
	size = size < sizeof words ? size : sizeof words;
	if (finding->result->bodies.count > BODIES_TRACED ||
	    !address_space_probe(finding->process->space, one->sp, words, size))
		return NULL;
	for (size_t i = 0; i + 8 <= size && peer == NULL; i += 8) {
		uint64_t word = bytes_unsigned(words + i, 8, false);
		if ((word & 7) == 0 && word >= 4096)
			peer = peer_at(finding->process, word);
	}
	return peer;
}

/* net/http's reader of a connection waits in a select only for the end of a body. */
static void look_for_body(struct finding *finding, const struct goroutines *goroutines,
			  const struct goroutine *one)
{
	const struct go_stack *stack = &goroutines->stacks[one->stack];
	if (one->wait.kind != GO_WAIT_SELECT)
		return;
	for (size_t i = 0; i < stack->count; i++) {
		const char *name = stack->calls[i].function;
		if (name != NULL && strcmp(name, "net/http.(*persistConn).readLoop") == 0) {
			if (!array_push(&finding->result->bodies,
					(struct go_body){ one, find_peer(finding, one) }))
				finding->no_memory = true;
			return;
		}
	}
}

static void look_at_goroutines(struct finding *finding, const struct goroutines *goroutines)
{
	for (size_t i = 0; i < goroutines->count; i++) {
		const struct goroutine *one = &goroutines->items[i];
		if (one->system)
			continue;
		count_defers(finding, one);
		look_for_body(finding, goroutines, one);
		finding->result->long_sleeps += one->wait.kind == GO_WAIT_SLEEP &&
						goroutines->now > 0 &&
						one->wait.due - goroutines->now >= GO_LONG_SLEEP;
	}
}

/* Of a live process the kernel tells. Go raises the limit to the hard one when a program starts,
 * since Go 1.24 to one less, and notes both as they were, where it did: the second word is the hard
 * one. */
static uint64_t files_limit(const struct go_process *process)
{
	char path[64], line[256];
	unsigned long long limit = 0;
	uint64_t noted, value;
	if (process->target->kind == TARGET_LIVE) {
		snprintf(path, sizeof path, "/proc/%d/limits", (int)process->target->pid);
		FILE *file = fopen(path, "re");
		while (file != NULL && fgets(line, sizeof line, file) != NULL)
			if (sscanf(line, "Max open files %llu", &limit) == 1)
				break;
		if (file != NULL)
			fclose(file);
		return limit;
	}
	/* Before Go 1.22 it was kept in another form. */
	if (process->open_files_limit == 0 || process->minor < 22 ||
	    !address_space_u64(process->space, process->open_files_limit, &noted) || noted == 0 ||
	    !address_space_u64(process->space, noted + 8, &value) || value > UINT32_MAX ||
	    value == 0)
		return 0;
	return process->minor >= 24 ? value - 1 : value;
}

/* A goroutine's frames do not always have the file that it waits for: the list of those that are
 * open has. */
static void name_waits(const struct go_resources *resources, struct goroutines *goroutines)
{
	for (size_t i = 0; i < goroutines->count; i++) {
		struct go_wait *wait = &goroutines->items[i].wait;
		const struct go_open_file key = { .fd = wait->fd }, *file;
		if (wait->kind != GO_WAIT_IO || wait->fd < 0 || wait->name != NULL ||
		    resources->files.count == 0)
			continue;
		file = bsearch(&key, resources->files.items, resources->files.count, sizeof key,
			       by_fd);
		if (file == NULL)
			continue;
		wait->name = file->name;
		wait->peer = file->peer;
	}
}

struct error *go_resources_find(const struct go_process *process, struct goroutines *goroutines,
				struct go_heap *heap, struct go_resources *resources)
{
	struct go_resources result = { 0 };
	struct finding finding = { .process = process, .result = &result };
	struct error *error = NULL;
	if (heap != NULL)
		go_specials_visit(heap, look_at, &finding);
	/* What could not be read may lead to the members of a cycle. */
	if (heap != NULL && heap->absent_bytes == 0 && goroutines->unreadable == 0)
		error = go_finalizer_cycles_find(process, goroutines, heap, &result.cycles);
	result.files_limit = files_limit(process);
	find_tickers(&finding);
	look_at_goroutines(&finding, goroutines);
	if (result.files.count > 1)
		qsort(result.files.items, result.files.count, sizeof *result.files.items, by_fd);
	name_waits(&result, goroutines);
	if (result.defers.count > 1)
		qsort(result.defers.items, result.defers.count, sizeof *result.defers.items,
		      by_count);
	if (error == NULL && finding.no_memory)
		error = error_no_memory();
	if (error != NULL) {
		go_resources_free(&result);
		return error;
	}
	*resources = result;
	return NULL;
}

void go_resources_free(struct go_resources *resources)
{
	array_free(&resources->files);
	go_finalizer_cycles_free(&resources->cycles);
	array_free(&resources->tickers);
	array_free(&resources->defers);
	array_free(&resources->bodies);
}
