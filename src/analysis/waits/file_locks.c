/* Waits for locks on files: flock, and fcntl's on ranges of bytes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "analysis/waits/examine.h"
#include "target/live_descriptors.h"

#include <inttypes.h>

static void name_owner(struct examined *examined, const struct file_lock_holder *holder)
{
	examined->wait->owner_state = OWNER_PROCESS;
	examined->wait->owner = holder->pid;
	if (holder->name[0] != '\0')
		examined->wait->owner_name =
		    string_pool_add(modules_strings(examined->all->subject->modules), holder->name);
}

/* "for writing, bytes 200..299" */
static void note_lock(struct examined *examined, const struct file_lock_holder *holder)
{
	struct words *note = &examined->owner_note;
	words_separate(note, ", ");
	words_add(note, "for %s", holder->write ? "writing" : "reading");
	if (holder->last < 0 && holder->first != 0)
		words_add(note, ", from byte %" PRId64 " on", holder->first);
	else if (holder->last >= 0)
		words_add(note, ", bytes %" PRId64 "..%" PRId64, holder->first, holder->last);
	if (holder->waits_back)
		words_add(note, ", and waits itself for a lock on a file that this process took");
}

/* Many threads may wait for one lock, and it takes a look at every descriptor. */
static const struct known_file_lock *look_up(struct examined *examined, enum file_lock_class class,
					     int64_t start)
{
	struct known_file_lock *known = &examined->all->memory->file_lock;
	const int32_t pid = examined->all->subject->target->pid, fd = examined->wait->fd;
	if (known->asked && known->fd == fd && known->class == class && known->start == start)
		return known;
	*known = (struct known_file_lock){
		.asked = true, .fd = fd, .class = class, .start = start, .through = -1
	};
	known->found = live_file_lock_holder(pid, fd, class, start, &known->holder);
	/* Of a lock that an open file has, who has the file open is not recorded, but of this
	 * process's own descriptors the kernel tells. */
	if (known->found && known->holder.class != FILE_LOCK_PROCESS)
		known->through = live_file_lock_descriptor(pid, fd, known->holder.class);
	return known;
}

/* `start` is -1 where the range is not known. */
static void find_holder(struct examined *examined, enum file_lock_class class, int64_t start)
{
	const struct target *target = examined->all->subject->target;
	if (target->kind != TARGET_LIVE) {
		examined_no_owner(examined, OWNER_UNKNOWN, "who holds it is not in a core");
		return;
	}
	const struct known_file_lock *known = look_up(examined, class, start);
	if (!known->found) {
		examined_no_owner(examined, OWNER_UNKNOWN, "who holds it is not in /proc/locks");
		return;
	}
	examined_evidence(examined, "the lock in front of it in /proc/locks");
	examined->wait->held_through = known->through;
	if (known->through >= 0) {
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "held by this process itself, through fd %" PRId32,
				  known->through);
		examined_evidence(examined, "the locks in /proc/PID/fdinfo");
	} else if (known->holder.pid > 0 && known->holder.pid != target->pid) {
		name_owner(examined, &known->holder);
	} else {
		examined_no_owner(examined, OWNER_UNKNOWN,
				  "held through an open file, by whom is not recorded");
	}
	note_lock(examined, &known->holder);
}

/* flock(2)'s operations. */
enum { FLOCK_SHARED = 1, FLOCK_EXCLUSIVE = 2 };

static void examine_flock(struct examined *examined)
{
	examined_descriptor(examined, (int32_t)examined->arguments[0]);
	words_add(&examined->detail, "flock, %s",
		  (examined->arguments[1] & FLOCK_SHARED) != 0 ? "shared" : "exclusive");
	find_holder(examined, FILE_LOCK_FLOCK, -1);
}

/* fcntl(2)'s commands that wait, and struct flock: the same on all 64-bit architectures. */
enum { COMMAND_SETLKW = 7, COMMAND_OFD_SETLKW = 38 };
enum { RANGE_TYPE = 0, RANGE_WHENCE = 2, RANGE_START = 8, RANGE_LENGTH = 16 };
enum { TYPE_READ = 0, TYPE_WRITE = 1 };
enum { FROM_START = 0, FROM_OFFSET, FROM_END };

/* A range whose start is counted from somewhere in the file; a negative length reaches backwards
 * from there. */
struct range {
	uint32_t whence;
	int64_t start, length;
};

/* Counts it from the start of the file, as far as that can be told: live, from the offset of the
 * open file too. Of calls of lockf that is the usual. */
static bool make_absolute(const struct examined *examined, struct range *range)
{
	int64_t offset = 0;
	if (range->whence == FROM_OFFSET) {
		if (!live_descriptors_offset(examined->all->descriptors, examined->wait->fd,
					     &offset) ||
		    (range->start > 0 && offset > INT64_MAX - range->start))
			return false;
		range->start += offset;
		range->whence = FROM_START;
	}
	if (range->whence != FROM_START)
		return false;
	if (range->length < 0 && range->length >= -range->start) {
		range->start += range->length;
		range->length = -range->length;
	}
	return range->length >= 0 && range->start >= 0;
}

static void add_range(struct words *words, const struct range *range)
{
	static const char *const from[] = { "", " from the current offset", " from the end" };
	const int64_t start = range->start, length = range->length;
	if (length == 0)
		words_add(words, ", bytes %" PRId64 " to the end", start);
	else if (length > 0 && start <= INT64_MAX - length)
		words_add(words, ", bytes %" PRId64 "..%" PRId64, start, start + length - 1);
	else if (length < 0 && length > INT64_MIN)
		words_add(words, ", the %" PRId64 " bytes before byte %" PRId64, -length, start);
	else
		words_add(words, ", %" PRId64 " bytes at %" PRId64, length, start);
	words_add(words, "%s", range->whence <= FROM_END ? from[range->whence] : "");
}

static void examine_fcntl(struct examined *examined)
{
	uint64_t lock = examined->arguments[2], start, length;
	uint32_t head;
	examined_descriptor(examined, (int32_t)examined->arguments[0]);
	uint64_t command = examined->arguments[1];
	if (command != COMMAND_SETLKW && command != COMMAND_OFD_SETLKW) {
		examined->wait->kind = WAIT_OTHER;
		return;
	}
	enum file_lock_class class =
	    command == COMMAND_OFD_SETLKW ? FILE_LOCK_OPEN_FILE : FILE_LOCK_PROCESS;
	if (lock > UINT64_MAX - 32 || !examined_u32(examined, lock + RANGE_TYPE, &head) ||
	    !examined_u64(examined, lock + RANGE_START, &start) ||
	    !examined_u64(examined, lock + RANGE_LENGTH, &length)) {
		words_add(&examined->detail, "fcntl lock whose range could not be read");
		find_holder(examined, class, -1);
		return;
	}
	struct range range = { head >> 16, (int64_t)start, (int64_t)length };
	const uint32_t type = head & 0xffff;
	words_add(&examined->detail, "fcntl %s lock",
		  type == TYPE_READ ? "read" : (type == TYPE_WRITE ? "write" : "unknown"));
	const bool exact = make_absolute(examined, &range);
	add_range(&examined->detail, &range);
	if (class == FILE_LOCK_OPEN_FILE)
		words_add(&examined->detail, ", of the open file");
	find_holder(examined, class, exact ? range.start : -1);
}

const struct wait_row file_lock_rows[] = {
	{ "flock", WAIT_FILE_RANGE_LOCK, examine_flock },
	{ "fcntl", WAIT_FILE_RANGE_LOCK, examine_fcntl },
	{ NULL, WAIT_NONE, NULL },
};
