/* As locals.c, for what only C++ has: references, std::string, classes, namespaces.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "truth.h"

#include <string>

namespace shop
{
enum class Size : unsigned char { Small = 1, Large = 2 };

struct Base {
	int number = 3;
	virtual ~Base() = default;
};

struct Article : Base {
	std::string label = "label";
	Size size = Size::Large;
	static int count;
};
int Article::count = 1;

static void tell(const char *function, const char *name, const std::string &value)
{
	std::string escaped;
	for (char c : value) {
		if (c == '"' || c == '\\')
			escaped += '\\';
		escaped += c;
	}
	truth("{\"function\":\"%s\",\"name\":\"%s\",\"value\":\"%s\"}", function, name,
	      escaped.c_str());
}

static std::string address(const void *at)
{
	char text[32];
	snprintf(text, sizeof text, "%p", at);
	return text;
}

struct Cart {
	int items;
	__attribute__((noinline)) int add(const std::string &title, int &amount, Size size,
					  const int (&prices)[3])
	{
		static const char name[] = "shop::Cart::add";
		std::string longer =
		    title + ", and so long that it lies in a chunk of its own, you see";
		std::string empty;
		Article article;
		tell(name, "this", address(this));
		tell(name, "title", "@" + address(&title) + ": \"" + title + "\"");
		tell(name, "amount", "@" + address(&amount) + ": " + std::to_string(amount));
		tell(name, "size", size == Size::Small ? "Small" : "?");
		tell(name, "prices", "@" + address(&prices) + ": {10, 20, 30}");
		tell(name, "longer",
		     "\"" + longer.substr(0, 64) + (longer.size() > 64 ? "…\"" : "\""));
		tell(name, "empty", "\"\"");
		tell(name, "article", "{<base> = {…}, label = \"label\", size = Large}");
		truth_ready();
		for (;;) {
			pause();
			__asm__ volatile(""
					 :
					 : "r"(&longer), "r"(&empty), "r"(&article), "r"(this),
					   "r"(&title), "r"(&amount), "r"(&prices)
					 : "memory");
		}
		return items;
	}
};
} // namespace shop

int main()
{
	shop::Cart cart = { 4 };
	std::string title = "a title";
	int amount = 17;
	const int prices[3] = { 10, 20, 30 };
	shop::tell("main", "amount", "17");
	shop::tell("main", "cart", "{items = 4}");
	shop::tell("main", "prices", "{10, 20, 30}");
	return cart.add(title, amount, shop::Size::Small, prices) + amount;
}
