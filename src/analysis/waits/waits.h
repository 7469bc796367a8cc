/* What each thread does: runs, crashed, or waits; for what; who holds it.
 *
 * To add a kind of wait: a row in the table of its family's file (futex.c, descriptors.c,
 * sleeps.c …), and its words in wait_kinds.c; a new family is one file and one row in waits.c.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_ANALYSIS_WAITS_WAITS_H
#define CORESCAN_ANALYSIS_WAITS_WAITS_H

#include "analysis/describe.h"
#include "analysis/subject.h"

enum thread_activity {
	THREAD_CRASHED,	    /* by its own fault: not one that another process killed */
	THREAD_RUNNING,	    /* not in a system call */
	THREAD_BLOCKED,	    /* in a system call that waits */
	THREAD_IN_SYSCALL,  /* in a system call that is not known to wait */
	THREAD_NOT_STOPPED, /* live, could not be stopped: nothing known but its state */
};

enum wait_kind {
	WAIT_NONE,
	WAIT_MUTEX,
	WAIT_CONDITION,
	WAIT_RWLOCK_READ,
	WAIT_RWLOCK_WRITE,
	WAIT_SEMAPHORE,
	WAIT_BARRIER,
	WAIT_LATCH, /* std::latch */
	WAIT_JOIN,
	WAIT_ONCE,	  /* pthread_once, call_once */
	WAIT_STATIC_INIT, /* __cxa_guard_acquire */
	WAIT_FILE_LOCK,	  /* stdio: flockfile and friends */
	WAIT_LOADER_LOCK, /* dlopen's dl_load_lock */
	WAIT_FUTURE,
	WAIT_ATOMIC, /* std::atomic::wait */
	WAIT_PARK,   /* thread::park of Rust */
	WAIT_FUTEX,  /* some other futex */
	WAIT_READ,
	WAIT_WRITE,
	WAIT_ACCEPT,
	WAIT_CONNECT,
	WAIT_RECEIVE,
	WAIT_SEND,
	WAIT_POLL,
	WAIT_SELECT,
	WAIT_EPOLL,
	WAIT_FILE_RANGE_LOCK, /* flock, fcntl F_SETLKW */
	WAIT_SLEEP,
	WAIT_CHILD,  /* wait4, waitid */
	WAIT_SIGNAL, /* pause, sigsuspend, sigtimedwait */
	WAIT_SYSV,   /* semop, msgrcv, msgsnd */
	WAIT_IO,     /* io_uring_enter, io_getevents, aio_suspend, fsync … */
	WAIT_OTHER,  /* a known system call without a row of its own */
	WAIT_KIND_COUNT,
};

enum owner_state {
	OWNER_NONE,    /* this kind has no owner, or nobody owns it now */
	OWNER_THREAD,  /* .owner is a thread of this process */
	OWNER_SELF,    /* the waiter itself */
	OWNER_PROCESS, /* .owner is another process, which lives */
	OWNER_GONE,    /* .owner is no thread of this process: exited, or another process */
	OWNER_UNKNOWN, /* somebody holds it, who cannot be told (readers of a rwlock …) */
};

struct wait {
	const struct thread *thread;
	enum thread_activity activity;
	enum wait_kind kind;
	uint64_t object;	 /* address, or 0 */
	const char *object_name; /* describe_place's words: "<b>", "stack of …"; NULL for none */
	enum owner_state owner_state;
	int32_t owner;		/* tid, or pid, where owner_state says so */
	const char *owner_name; /* of another process; or NULL */
	const char *owner_note; /* "held by 2 readers, which ones is not recorded" …; or NULL */
	int32_t fd;		/* -1: none */
	const char *fd_name;	/* what the fd is; NULL: not known */
	/* Of a lock on a file: this process's own descriptor through which it is held; -1: none. */
	int32_t held_through;
	int32_t target_pid; /* waited-for child, or joined tid; 0 for none or not known, -1 any
			     */
	int64_t timeout_ns; /* relative, as was asked for; -1: none, or not known */
	bool timed;	    /* it ends by itself at some time, known or not */
	/* What the owner does itself: "sleeps for 10 s at work() a.c:12". NULL: there is no such
	 * thread, or the wait is for no lock. */
	const char *owner_does;
	bool inferred_owner;  /* the owner follows from stacks; the object records none */
	int64_t syscall;      /* the kernel's number, restart_syscall undone; -1: none */
	const char *detail;   /* other facts in words ("fds 3, 5 and 7", "fcntl write lock
				 0..99"); or NULL */
	const char *brief;    /* the wait in words, without the thread: "waits for mutex
				 0x558e3fa9d060 <cache_lock>, held by 1235 \"flusher\"" */
	const char *text;     /* the same, with what the owner does, where that is told: ", which
				 sleeps for 10 s at work() a.c:12" */
	const char *evidence; /* "futex word in rdi; owner field of the mutex" */
	/* The frame that shows where the program waits: a function known to wait for what the
	 * program builds itself (ProcSleep …), else the innermost one outside libc, libpthread and
	 * the C++ runtime; NULL when there is none. */
	const struct frame *site;
	bool shared; /* a futex that other processes may wake too */
	bool waking; /* its futex has changed since it began to wait: it is about to be woken */
	uint32_t readers; /* of an rwlock: how many hold it */
	/* Those may be threads that wait for it: they are no more, and no other's stack has its
	 * address. */
	bool maybe_own_readers;
	bool idle; /* a pool's worker or an event loop: waits for work, not for a lock */
};

struct waits {
	struct wait *items; /* one for each thread, in the order of subject->threads */
	size_t count;
};

enum wait_trait {
	WAIT_FOR_LOCK = 1,   /* for something that one thread holds at a time, or runs */
	WAIT_FOR_RUNNER = 2, /* of those: that it runs */
	WAIT_FOR_MEMORY = 4, /* for an object in memory, which another thread changes */
	WAIT_IDLE = 8,	     /* mostly for something to do */
	WAIT_FOR_WORK = 16,  /* of those: mostly without a lock held meanwhile */
	WAIT_LISTS_FDS = 32, /* for several descriptors, which .detail lists */
};

/* What is said of a kind: a row of the table in wait_kinds.c, which outlives everything. */
struct wait_kind_words {
	const char *name; /* "mutex" */
	const char *verb; /* "waits for": goes before object or fd */
	const char *noun; /* "mutex": names the object; NULL: it has none in memory */
	const char *before,
	    *after;	 /* several threads and objects: "wait for ", " mutexes"; or NULL */
	unsigned traits; /* enum wait_trait */
};

const struct wait_kind_words *wait_kind_words(enum wait_kind kind);

/* Whether the kind has one of the `traits`. */
bool wait_kind_is(enum wait_kind kind, unsigned traits);

/* Whether threads that wait so wait for something that one thread holds at a time, or runs: mutex,
 * rwlock, once-initialisation, static initialisation, the locks of stdio, loader and files. */
bool wait_kind_is_lock(enum wait_kind kind);

/* Never fails for want of evidence: a thread whose wait cannot be read gets WAIT_OTHER or
 * WAIT_FUTEX and its system call, and a gap where something is missing. ERROR_NO_MEMORY. */
struct error *waits_find(const struct subject *subject, struct waits *waits);
void waits_free(struct waits *waits);

/* Takes back what was found of threads that turn out to have run meanwhile: before anything else is
 * made of the waits. */
void waits_forget_moved(struct waits *waits);

/* After that: what the owners of locks do themselves, into .owner_does and .text. */
void waits_tell_owners(const struct subject *subject, struct waits *waits);

const char *wait_kind_name(enum wait_kind kind); /* "mutex", "condition variable" */

/* How several threads are said to wait for `count` objects of the kind that differ: "wait on 3
 * condition variables". NULL for a kind that has no word for its objects. The result lies in
 * `buffer`. */
const char *wait_kind_many(enum wait_kind kind, const char *count, char *buffer, size_t size);

/* The end of wait->brief that tells its object apart from others: "0x404060 <b>", "fd 7 (epoll of
 * fd 6)". */
const char *wait_object_text(const struct wait *wait);

const char *thread_activity_name(enum thread_activity activity); /* "crashed", "running" … */

/* A cycle of threads, each waiting for the next: nobody of them can ever go on. */
struct deadlock {
	const struct wait **waits; /* in the order of the cycle, the lowest tid first */
	size_t count;
	const struct wait **behind; /* other waits that end at a thread of the cycle */
	size_t behind_count;
	const char *sentence; /* "1234 \"main\" waits for mutex 0x… <b> held by 1235 \"worker\";
				 1235 waits for mutex 0x… <a> held by 1234." */
};

struct deadlocks {
	struct deadlock *items;
	size_t count;
};

/* Pure function of the waits, which must outlive the result. ERROR_NO_MEMORY. */
struct error *deadlocks_find(const struct subject *subject, const struct waits *waits,
			     struct deadlocks *deadlocks);
void deadlocks_free(struct deadlocks *deadlocks);

/* Threads with equal stacks and the same kind of wait, object and owner. */
struct wait_group {
	const struct wait **members;
	size_t count;
	size_t behind;	 /* threads that wait for the members, directly or through others */
	bool deadlocked; /* a member is on a cycle */
};

struct wait_groups {
	struct wait_group *items; /* crashed first, then those of deadlocks, those with the most
				     threads behind them, blocked on locks, running, idle; larger
				     first within each */
	size_t count;
};

struct error *wait_groups_make(const struct subject *subject, const struct waits *waits,
			       const struct stack_groups *stacks, struct wait_groups *groups);
void wait_groups_free(struct wait_groups *groups);

#endif
