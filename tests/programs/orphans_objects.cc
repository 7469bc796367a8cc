// Plants orphaned C++ objects: with virtual functions, with several bases, in containers. Truth:
//     {"orphan":"0x…","size":N}
//     {"class":"…","count":N}     so many structures whose head is an object of the class
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "truth.h"

namespace server
{
class Session
{
      public:
	virtual ~Session() = default;
	virtual int id() const
	{
		return number;
	}
	int number = 7;
	long more[4] = {};
};

class Named
{
      public:
	virtual ~Named() = default;
	long name = 0;
};

class SecureSession : public Session, public Named
{
      public:
	int id() const override
	{
		return number + 1;
	}
	long key[8] = {};
};

template <typename T> class Holder
{
      public:
	virtual ~Holder() = default;
	virtual void touch()
	{
	}
	T held{};
};
} // namespace server

template <typename T> __attribute__((noinline)) static void plant(const char *name, int count)
{
	for (int i = 0; i < count; i++) {
		T *object = new T;
		truth("{\"orphan\":\"%p\",\"size\":%zu}", static_cast<void *>(object), sizeof(T));
	}
	truth("{\"class\":\"%s\",\"count\":%d}", name, count);
}

// Every allocation of the containers is told.
template <typename T> struct told_allocator {
	using value_type = T;
	told_allocator() = default;
	template <typename U> told_allocator(const told_allocator<U> &)
	{
	}
	T *allocate(size_t count)
	{
		void *bytes = malloc(count * sizeof(T));
		truth("{\"orphan\":\"%p\",\"size\":%zu}", bytes, count * sizeof(T));
		return static_cast<T *>(bytes);
	}
	void deallocate(T *, size_t)
	{
	}
	template <typename U> bool operator==(const told_allocator<U> &) const
	{
		return true;
	}
	template <typename U> bool operator!=(const told_allocator<U> &) const
	{
		return false;
	}
};

template <typename T> __attribute__((noinline)) static T *allocate()
{
	return new (told_allocator<T>().allocate(1)) T;
}

__attribute__((noinline)) static void plant_containers()
{
	auto *list = allocate<std::list<long, told_allocator<long>>>();
	for (long i = 0; i < 50; i++)
		list->push_back(i);
	auto *map = allocate<std::map<long, long, std::less<long>,
				      told_allocator<std::pair<const long, long>>>>();
	for (long i = 0; i < 50; i++)
		(*map)[i] = i;
	auto *vector = allocate<std::vector<long, told_allocator<long>>>();
	vector->reserve(100);
	vector->push_back(0x1234567890);
	allocate<std::basic_string<char, std::char_traits<char>, told_allocator<char>>>()->assign(
	    200, 'x');
}

int main()
{
	plant<server::Session>("server::Session", 20);
	plant<server::SecureSession>("server::SecureSession", 10);
	plant<server::Holder<std::string>>(
	    "server::Holder<std::__cxx11::basic_string<char, std::char_traits<char>, "
	    "std::allocator<char> > >",
	    5);
	plant_containers();
	truth_wipe_stack();
	truth_ready();
	for (;;)
		pause();
}
