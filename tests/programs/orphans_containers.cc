// Plants orphaned containers of the C++ library, and what the C library hands out. Truth, one line
// for each structure:
//     {"plant":"0x…","what":"…"}     its head, and corescan's phrase for it
//     {"texts":N,"what":"…"}      so many texts, of one group
//     {"vague":"0x…","never":"…"}    what resembles one, and a word its phrase must not have
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include <any>
#include <arpa/inet.h>
#include <cwchar>
#include <deque>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unordered_map>
#include <vector>

#include "truth.h"

namespace store
{
class Item
{
      public:
	virtual ~Item() = default;
	long fields[4] = {};
};
} // namespace store

static void told(const void *head, const char *what)
{
	truth("{\"plant\":\"%p\",\"what\":\"%s\"}", head, what);
}

__attribute__((noinline)) static void plant_objects()
{
	auto *map = new std::map<long, long>;
	for (long i = 0; i < 100; i++)
		(*map)[i] = i;
	told(map, "looks like a std::map or set of 56-byte nodes (100 elements)");
	auto *set = new std::set<std::string>;
	for (int i = 0; i < 20; i++)
		set->insert("short " + std::to_string(i));
	told(set, "looks like a std::map or set of 72-byte nodes (20 elements)");
	auto *list = new std::list<long>(50, 7);
	told(list, "looks like a std::list of 24-byte nodes (50 elements)");
	auto *hash = new std::unordered_map<std::string, long>;
	for (int i = 0; i < 300; i++)
		(*hash)["key " + std::to_string(i)] = i;
	told(hash, "looks like a std::unordered_map or _set of 56-byte nodes (300 elements)");
	auto *deque = new std::deque<long>(500, 1);
	told(deque, "looks like a std::deque of 520-byte blocks (8 blocks)");
	auto *vector = new std::vector<long>(100, 3);
	vector->reserve(200);
	told(vector, "looks like a std::vector (800 of 1600 bytes used)");
	told(new std::string("kept in the object"),
	     "looks like a std::string (\\\"kept in the object\\\")");
	auto *shared = new std::shared_ptr<store::Item>(std::make_shared<store::Item>());
	(void)shared;
}

// The object is gone, its parts are not.
__attribute__((noinline)) static void plant_parts()
{
	alignas(16) char room[256];
	auto *map = new (room) std::map<int, long>;
	for (int i = 0; i < 64; i++)
		(*map)[i] = i;
	told(&*map->begin(), "");
	memset(room, 0, sizeof room);
	auto *shared = new (room) std::shared_ptr<store::Item>(std::make_shared<store::Item>());
	told(reinterpret_cast<char *>(shared->get()) - 16,
	     "std::shared_ptr<store::Item> (make_shared)");
	memset(room, 0, sizeof room);
	auto *items = new store::Item[7];
	told(reinterpret_cast<char *>(items) - 8, "array of store::Item (vtable)");
	auto *list = new (room) std::list<store::Item>(1);
	told(reinterpret_cast<char *>(&list->front()) - 16,
	     "record with the vtable of store::Item at +16");
	memset(room, 0, sizeof room);
}

__attribute__((noinline)) static void plant_system()
{
	char text[64];
	FILE *file = fopen("/dev/null", "r");
	snprintf(text, sizeof text, "FILE (fd %d)", fileno(file));
	told(file, text);
	// Every open FILE is reachable from _IO_list_all, and from its neighbours in that list.
	auto unlink = reinterpret_cast<void (*)(FILE *)>(dlsym(RTLD_DEFAULT, "_IO_un_link"));
	unlink(file);
	DIR *directory = opendir("/");
	readdir(directory);
	snprintf(text, sizeof text, "DIR (fd %d)", dirfd(directory));
	told(directory, text);

	auto *in = static_cast<sockaddr_in *>(calloc(1, sizeof(sockaddr_in)));
	in->sin_family = AF_INET;
	in->sin_port = htons(8080);
	in->sin_addr.s_addr = htonl(0x0a000001);
	told(in, "looks like a socket address (10.0.0.1 port 8080)");
	auto *in6 = static_cast<sockaddr_in6 *>(calloc(1, sizeof(sockaddr_storage)));
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(443);
	inet_pton(AF_INET6, "2001:db8::5", &in6->sin6_addr);
	told(in6, "looks like a socket address (2001:db8::5 port 443)");
	auto *un = static_cast<sockaddr_un *>(calloc(1, sizeof(sockaddr_un)));
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, "/run/store.sock");
	told(un, "looks like a socket address (\\\"/run/store.sock\\\")");
	addrinfo hints = {}, *found;
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo("127.0.0.1", "5432", &hints, &found) == 0)
		told(found, "struct addrinfo (127.0.0.1 port 5432)");
	memset(&hints, 0, sizeof hints);
	found = nullptr;
}

// Streams that have no descriptor, though a word of theirs may look like one.
__attribute__((noinline)) static void plant_streams()
{
	static char *text;
	static size_t size;
	told(open_memstream(&text, &size), "FILE (memory stream)");
	FILE *file = fmemopen(nullptr, 100, "w");
	told(file, "FILE (fmemopen or fopencookie)");
	auto unlink = reinterpret_cast<void (*)(FILE *)>(dlsym(RTLD_DEFAULT, "_IO_un_link"));
	unlink(file);
}

__attribute__((noinline)) static void plant_wide()
{
	told(new std::wstring(L"wide, and not in the object"),
	     "looks like a std::wstring (\\\"wide, and not in the object\\\")");
	told(new std::u16string(u"of two bytes each"),
	     "looks like a std::u16string (\\\"of two bytes each\\\")");
	auto *wide = static_cast<wchar_t *>(calloc(40, sizeof(wchar_t)));
	wcscpy(wide, L"wide characters");
	told(wide, "looks like wide text (\\\"wide characters\\\")");
	auto *two = static_cast<char16_t *>(calloc(40, sizeof(char16_t)));
	memcpy(two, u"sixteen bits each", sizeof u"sixteen bits each");
	told(two, "looks like UTF-16 text (\\\"sixteen bits each\\\")");
	// Numbers that could be characters.
	auto *numbers = static_cast<int *>(calloc(44, sizeof(int)));
	for (int i = 0; i < 20; i++)
		numbers[i] = 97 + i % 2;
	truth("{\"vague\":\"%p\",\"never\":\"text\"}", static_cast<void *>(numbers));
}

class V
{
      public:
	virtual ~V() = default;
	long field = 1;
};

__attribute__((noinline)) static void plant_library()
{
	alignas(16) char room[256];
	told(new std::shared_ptr<store::Item>(new store::Item), "std::shared_ptr<store::Item>");
	auto *shared = new (room) std::shared_ptr<store::Item>(new store::Item);
	told(*reinterpret_cast<void **>(room + 8),
	     "control block of std::shared_ptr (store::Item*)");
	(void)shared;
	memset(room, 0, sizeof room);
	long many[10] = { 1, 2, 3 };
	told(new std::function<long(long)>([many](long i) { return i + many[1]; }),
	     "std::function<long (long)>");
	told(new std::any(std::vector<long>(3, 1)),
	     "std::any (std::vector<long, std::allocator<long> >)");
	auto *array = new V[7];
	told(reinterpret_cast<char *>(array) - 8, "array of V (vtable)");
}

// Texts of many lengths that begin alike.
__attribute__((noinline)) static void plant_texts()
{
	for (int i = 0; i < 60; i++) {
		auto size = static_cast<size_t>(40 + i * 8);
		auto *request = static_cast<char *>(calloc(1, size));
		snprintf(request, size, "GET /item/%d HTTP/1.1", i);
	}
	truth("{\"texts\":60,\"what\":\"text \\\"GET /item/…\\\", 40–520 bytes\"}");
}

struct triple {
	long type;
	triple *previous, *next, *other;
	long value;
};

// What a program's own types have in common with containers.
__attribute__((noinline)) static void plant_lookalikes()
{
	triple *first = nullptr, *last = nullptr;
	for (int i = 0; i < 10; i++) {
		auto *one = static_cast<triple *>(calloc(1, sizeof(triple)));
		one->type = i % 2;
		one->previous = last;
		(last != nullptr ? last->next : first) = one;
		last = one;
	}
	truth("{\"vague\":\"%p\",\"never\":\"map\"}", static_cast<void *>(first));
	auto *numbers = static_cast<uint16_t *>(calloc(8, 2));
	numbers[0] = 2;
	numbers[1] = 77;
	numbers[4] = 5;
	truth("{\"vague\":\"%p\",\"never\":\"socket\"}", static_cast<void *>(numbers));
	auto *table = static_cast<void **>(calloc(12, sizeof(void *)));
	for (int i = 0; i < 12; i += 2)
		table[i] = calloc(1, 40);
	truth("{\"vague\":\"%p\",\"never\":\"hash\"}", static_cast<void *>(table));
}

int main()
{
	plant_objects();
	plant_parts();
	plant_system();
	plant_streams();
	plant_wide();
	plant_library();
	plant_texts();
	plant_lookalikes();
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
}
