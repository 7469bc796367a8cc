// Dies of the cause that the argument names, in a thread of its own, having told what corescan
// should say of it.
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include "truth.h"

#include <cassert>
#include <csignal>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <thread>

struct node {
	long pad[3];
	node *next;
};

static const char constant[] = "constant";
static volatile long sink;

static void expect(const char *signal, const char *access, const void *address, const char *words,
		   const char *function)
{
	truth("{\"signal\":\"%s\",\"access\":\"%s\",\"address\":\"%p\",\"words\":\"%s\","
	      "\"function\":\"%s\",\"tid\":%d}",
	      signal, access, address, words, function, truth_tid());
	truth_ready();
}

[[gnu::noinline]] static long follow(node *at)
{
	return at->next->pad[0];
}

[[gnu::noinline]] static void store(char *at)
{
	*const_cast<volatile char *>(at) = 1;
}

[[gnu::noinline]] static void go_to(void *at)
{
	reinterpret_cast<void (*)()>(at)();
	sink = 1;
}

[[gnu::noinline]] static int descend(volatile char *above)
{
	volatile char frame[256];
	frame[0] = above[0];
	return frame[0] == 77 ? 0 : descend(frame) + frame[1];
}

[[gnu::noinline]] static long divide()
{
	volatile long zero = 0;
	return 5 / zero;
}

[[gnu::noinline]] static void check(long value)
{
	assert(value == 77 && "planted assertion");
}

[[gnu::noinline]] static void refuse()
{
	throw std::runtime_error("planted");
}

static void null_read()
{
	expect("SIGSEGV", "read", reinterpret_cast<void *>(24), "null + 24", "follow");
	sink = follow(nullptr);
}

static void wild_read()
{
	static node wild;
	wild.next = reinterpret_cast<node *>(0x4141414141414141);
	expect("SIGSEGV", "read", nullptr, "0x4141414141414141, which is no valid address",
	       "follow");
	sink = follow(&wild);
}

static void write_constant()
{
	expect("SIGSEGV", "write", constant, "read-only", "store");
	store(const_cast<char *>(constant));
}

static void jump_null()
{
	expect("SIGSEGV", "jump", nullptr, "jump to 0x0", "");
	go_to(nullptr);
}

static void jump_heap()
{
	void *chunk = calloc(1, 64);
	expect("SIGSEGV", "jump", chunk, "not executable", "");
	go_to(chunk);
}

static void stack_overflow()
{
	volatile char top[1] = {};
	expect("SIGSEGV", "write", nullptr, "stack overflow", "descend");
	descend(top);
}

static void no_access()
{
	void *mapping = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect("SIGSEGV", "write", mapping, "may not be accessed", "store");
	store(static_cast<char *>(mapping));
}

static void past_file()
{
	int fd = memfd_create("empty", 0);
	void *mapping = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect("SIGBUS", "unknown", mapping, "behind the end of a mapped file", "store");
	store(static_cast<char *>(mapping));
}

static void zero_division()
{
	expect("SIGFPE", "unknown", nullptr, "integer division by zero", "divide");
	sink = divide();
}

static void assertion()
{
	expect("SIGABRT", "unknown", nullptr, "Assertion `value == 77", "");
	check(3);
}

static void double_free()
{
	char *volatile chunk = static_cast<char *>(malloc(24));
	expect("SIGABRT", "unknown", nullptr, "double free detected", "");
	free(chunk);
	free(chunk);
}

static void exception()
{
	expect("SIGABRT", "unknown", nullptr,
	       "an exception that nothing catches: std::runtime_error \\\"planted\\\" "
	       "(std::terminate)",
	       "");
	refuse();
}

namespace shop
{
struct sold_out : std::runtime_error {
	using std::runtime_error::runtime_error;
};
} // namespace shop

static void own_exception()
{
	expect("SIGABRT", "unknown", nullptr, "catches: shop::sold_out (std::terminate)", "");
	throw shop::sold_out("planted");
}

/* Caught, and thrown on. */
static void thrown_again()
{
	expect("SIGABRT", "unknown", nullptr, "catches: int (std::terminate)", "");
	try {
		throw 7;
	} catch (...) {
		throw;
	}
}

/* No exception, but std::terminate: a thread that was neither joined nor detached. */
static void not_joined()
{
	expect("SIGABRT", "unknown", nullptr, "the C++ runtime ended the program (std::terminate)",
	       "");
	std::thread([] { pause(); });
}

static void sent()
{
	expect("SIGSEGV", "unknown", nullptr, "the program sent it to itself", "");
	raise(SIGSEGV);
}

/* The same while an exception is handled, which is not the cause. */
static void not_joined_in_handler()
{
	try {
		refuse();
	} catch (const std::exception &) {
		not_joined();
	}
}

/* Thrown out of a function that says it throws nothing. */
[[gnu::noinline]] static void promise() noexcept
{
	refuse();
}

static void broken_promise()
{
	expect("SIGABRT", "unknown", nullptr, "catches: std::runtime_error \\\"planted", "");
	try {
		promise();
	} catch (...) {
	}
}

static const struct {
	const char *name;
	void (*run)();
} causes[] = {
	{ "null_read", null_read },
	{ "wild_read", wild_read },
	{ "write_constant", write_constant },
	{ "jump_null", jump_null },
	{ "jump_heap", jump_heap },
	{ "stack_overflow", stack_overflow },
	{ "no_access", no_access },
	{ "past_file", past_file },
	{ "zero_division", zero_division },
	{ "assertion", assertion },
	{ "double_free", double_free },
	{ "exception", exception },
	{ "own_exception", own_exception },
	{ "thrown_again", thrown_again },
	{ "not_joined", not_joined },
	{ "not_joined_in_handler", not_joined_in_handler },
	{ "broken_promise", broken_promise },
	{ "sent", sent },
};

int main(int argc, char **argv)
{
	for (const auto &cause : causes)
		if (argc > 1 && strcmp(argv[1], cause.name) == 0)
			std::thread(cause.run).join();
	return 1;
}
