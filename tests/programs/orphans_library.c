/* A library for orphans_roots to dlopen: its data and its thread-local storage hold pointers.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
extern void *library_data, *library_bss;
extern void **library_tls(void);

void *library_data = (void *)1;
void *library_bss;

/* Large enough not to fit into the spare static TLS: it lives in a block of its own. */
static __thread struct {
	char padding[8192];
	void *pointer;
} tls;

void **library_tls(void)
{
	return &tls.pointer;
}
