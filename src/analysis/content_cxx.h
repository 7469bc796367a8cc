/* What a chunk is, by the names of the C++ symbols that it refers to: as libstdc++ has them.
 * Nothing is concluded without such a name.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_CONTENT_CXX_H
#define CORESCAN_ANALYSIS_CONTENT_CXX_H

#include "base/string_pool.h"

/* The phrase for an object whose first word leads into the vtable of class `name`: "class X
 * (vtable)"; for libstdc++'s control blocks of shared pointers what they are. In `strings`. */
const char *content_cxx_class(struct string_pool *strings, const char *name);

/* The phrase for an object whose first word is the function `name`: "object with function f()"; for
 * a std::any what it holds. In `strings`. */
const char *content_cxx_function(struct string_pool *strings, const char *name);

/* "std::function<int (long)>", when what content_cxx_function said of its manager and its invoker
 * are functions of _Function_handler; else NULL. In `strings`. */
const char *content_cxx_function_object(struct string_pool *strings, const char *managed,
					const char *called);

/* "std::shared_ptr<X>", by what content_cxx_class said of its control block; NULL: that is none. In
 * `strings`. */
const char *content_cxx_shared_pointer(struct string_pool *strings, const char *block);

#endif
