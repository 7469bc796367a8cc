/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/string_pool.h"

#include "base/array.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct entry {
	struct entry *next;
	uint64_t hash;
	char text[];
};

struct string_pool {
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	pthread_mutex_t lock;
};

static const char lost[] = "(out of memory)";

struct string_pool *string_pool_new(void)
{
	struct string_pool *pool = calloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	pool->bucket_count = 1024;
	pool->buckets = calloc(pool->bucket_count, sizeof *pool->buckets);
	if (pool->buckets == NULL) {
		free(pool);
		return NULL;
	}
	pthread_mutex_init(&pool->lock, NULL);
	return pool;
}

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

/* Doubling may fail: the pool then only gets slower. */
static void grow(struct string_pool *pool)
{
	size_t doubled = pool->bucket_count * 2;
	struct entry **buckets = calloc(doubled, sizeof *buckets);
	if (buckets == NULL)
		return;
	for (size_t i = 0; i < pool->bucket_count; i++) {
		for (struct entry *entry = pool->buckets[i], *next; entry != NULL; entry = next) {
			next = entry->next;
			entry->next = buckets[entry->hash & (doubled - 1)];
			buckets[entry->hash & (doubled - 1)] = entry;
		}
	}
	free(pool->buckets);
	pool->buckets = buckets;
	pool->bucket_count = doubled;
}

static const char *add_locked(struct string_pool *pool, const char *text, uint64_t hash)
{
	for (struct entry *entry = pool->buckets[hash & (pool->bucket_count - 1)]; entry != NULL;
	     entry = entry->next)
		if (entry->hash == hash && strcmp(entry->text, text) == 0)
			return entry->text;

	size_t size = strlen(text) + 1;
	struct entry *entry = malloc(sizeof *entry + size);
	if (entry == NULL)
		return lost;
	memcpy(entry->text, text, size);
	entry->hash = hash;
	if (++pool->count > pool->bucket_count)
		grow(pool);
	struct entry **bucket = &pool->buckets[hash & (pool->bucket_count - 1)];
	entry->next = *bucket;
	*bucket = entry;
	return entry->text;
}

const char *string_pool_add(struct string_pool *pool, const char *text)
{
	if (text == NULL)
		return NULL;
	const uint64_t hash = hash_text(text);
	pthread_mutex_lock(&pool->lock);
	const char *kept = add_locked(pool, text, hash);
	pthread_mutex_unlock(&pool->lock);
	return kept;
}

const char *string_pool_format(struct string_pool *pool, const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return lost;
	const char *kept = string_pool_add(pool, text);
	free(text);
	return kept;
}

void string_pool_free(struct string_pool *pool)
{
	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->bucket_count; i++) {
		for (struct entry *entry = pool->buckets[i], *next; entry != NULL; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free(pool->buckets);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
