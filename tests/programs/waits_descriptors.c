/* A thread for every call that waits on file descriptors.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "waits_truth.h"

#include <arpa/inet.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

static struct planted planted[64];
static size_t used;

static int plant(const char *name, void (*run)(void *), void *argument)
{
	return plant_asleep(&planted[used++], name, run, argument);
}

static void tell(const char *wait, int tid, int fd, const char *detail)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"fd\":%d,\"detail\":\"%s\"}", wait, tid, fd, detail);
}

static void check(int result)
{
	if (result < 0)
		abort();
}

/* A descriptor, and a part of what it is said to be. */
static void tell_named(const char *wait, int tid, int fd, const char *name)
{
	truth("{\"wait\":\"%s\",\"tid\":%d,\"fd\":%d,\"fd_name\":\"%s\"}", wait, tid, fd, name);
}

/* One whose other end is `other`. */
static void tell_end(const char *wait, int tid, int fd, int other)
{
	char name[40];
	snprintf(name, sizeof name, "whose other end is fd %d", other);
	tell_named(wait, tid, fd, name);
}

/* A lock on a file: which process holds it, or through which of its own descriptors this one does.
 */
static void tell_lock(int tid, int fd, const char *detail, int holder, int through)
{
	truth("{\"wait\":\"file lock\",\"tid\":%d,\"fd\":%d,\"detail\":\"%s\",\"holder\":%d,"
	      "\"through\":%d}",
	      tid, fd, detail, holder, through);
}

static int empty_pipe[2], full_pipe[2], listener, empty_socket[2], full_socket[2], epoll_fd;

static void run_read(void *argument)
{
	char byte;
	check((int)read(*(int *)argument, &byte, 1));
}

static void run_write(void *argument)
{
	/* A stop lets a write return early. */
	static char bytes[1 << 20];
	for (;;)
		check((int)write(*(int *)argument, bytes, sizeof bytes));
}

static void run_accept(void *argument)
{
	check(accept(*(int *)argument, NULL, NULL));
}

static void run_receive(void *argument)
{
	char byte;
	check((int)recv(*(int *)argument, &byte, 1, 0));
}

static void run_receive_message(void *argument)
{
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	check((int)recvmsg(*(int *)argument, &message, 0));
}

static void run_send(void *argument)
{
	static char bytes[8 << 20];
	for (;;)
		check((int)send(*(int *)argument, bytes, sizeof bytes, 0));
}

static void plant_streams(void)
{
	check(pipe(empty_pipe));
	check(pipe(full_pipe));
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, empty_socket));
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, full_socket));
	check(listener = socket(AF_INET, SOCK_STREAM, 0));
	check(listen(listener, 5));
	tell_end("read", plant("read", run_read, &empty_pipe[0]), empty_pipe[0], empty_pipe[1]);
	tell_end("write", plant("write", run_write, &full_pipe[1]), full_pipe[1], full_pipe[0]);
	tell_named("accept", plant("accept", run_accept, &listener), listener,
		   "TCP listening on 0.0.0.0:");
	tell_end("receive", plant("recv", run_receive, &empty_socket[0]), empty_socket[0],
		 empty_socket[1]);
	tell("receive", plant("recvmsg", run_receive_message, &empty_socket[1]), empty_socket[1],
	     "");
	tell("send", plant("send", run_send, &full_socket[0]), full_socket[0], "");
}

static void run_readv(void *argument)
{
	char byte;
	struct iovec part = { &byte, 1 };
	check((int)readv(*(int *)argument, &part, 1));
}

static void run_writev(void *argument)
{
	static char bytes[1 << 20];
	struct iovec part = { bytes, sizeof bytes };
	for (;;)
		check((int)writev(*(int *)argument, &part, 1));
}

static void run_read_word(void *argument)
{
	char bytes[4096];
	while (read(*(int *)argument, bytes, sizeof bytes) < 0 && errno == EINTR)
		continue;
}

static void run_accept4(void *argument)
{
	check(accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC));
}

static void run_receive_from(void *argument)
{
	char byte;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	check((int)recvfrom(*(int *)argument, &byte, 1, 0, (struct sockaddr *)&from, &size));
}

static void run_receive_many(void *argument)
{
	char byte;
	struct iovec part = { &byte, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } };
	check(recvmmsg(*(int *)argument, &message, 1, 0, NULL));
}

static void run_send_message(void *argument)
{
	static char bytes[8 << 20];
	struct iovec part = { bytes, sizeof bytes };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	for (;;)
		check((int)sendmsg(*(int *)argument, &message, 0));
}

static void run_splice(void *argument)
{
	check((int)splice(*(int *)argument, NULL, full_pipe[1], NULL, 1, 0));
}

/* A connection to ourselves over TCP: its end that was accepted. */
static int connected(int *other)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof address;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int server = socket(AF_INET, SOCK_STREAM, 0);
	check(bind(server, (struct sockaddr *)&address, sizeof address));
	check(listen(server, 1));
	check(getsockname(server, (struct sockaddr *)&address, &size));
	check(*other = socket(AF_INET, SOCK_STREAM, 0));
	check(connect(*other, (struct sockaddr *)&address, sizeof address));
	int fd = accept(server, NULL, NULL);
	check(fd);
	return fd;
}

static void tell_connection(int tid, int fd, int other)
{
	struct sockaddr_in near, far;
	socklen_t size = sizeof near;
	char name[80];
	check(getsockname(fd, (struct sockaddr *)&near, &size));
	check(getsockname(other, (struct sockaddr *)&far, &size));
	snprintf(name, sizeof name, "TCP 127.0.0.1:%d to 127.0.0.1:%d", ntohs(near.sin_port),
		 ntohs(far.sin_port));
	tell_named("receive", tid, fd, name);
}

static void plant_more_streams(void)
{
	static int tcp, udp, other, plain[2], vector[2];
	tell_named("read", plant("readv", run_readv, &empty_pipe[0]), empty_pipe[0], "pipe:[");
	tell_named("write", plant("writev", run_writev, &full_pipe[1]), full_pipe[1], "pipe:[");
	tell("accept", plant("accept4", run_accept4, &listener), listener, "");
	tcp = connected(&other);
	tell_connection(plant("tcp", run_receive, &tcp), tcp, other);
	check(udp = socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in address = { .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(bind(udp, (struct sockaddr *)&address, sizeof address));
	tell_named("receive", plant("recvfrom", run_receive_from, &udp), udp, "UDP on 127.0.0.1:");
	tell("receive", plant("recvmmsg", run_receive_many, &udp), udp, "");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, plain));
	tell("send", plant("sendmsg", run_send_message, &plain[0]), plain[0], "");
	check(pipe(vector));
	char detail[40];
	snprintf(detail, sizeof detail, "to fd %d", full_pipe[1]);
	tell("read", plant("splice", run_splice, &vector[0]), vector[0], detail);
}

static void run_stream(void *argument)
{
	fgetc(argument);
}

/* The stream of a pipe whose other end is closed here; a child has it. */
static void plant_stream(void)
{
	int ends[2];
	check(pipe(ends));
	pid_t child = fork();
	check(child);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	close(ends[1]);
	FILE *file = fdopen(ends[0], "r");
	int tid = plant("stream", run_stream, file);
	truth("{\"wait\":\"read\",\"tid\":%d,\"fd\":%d,\"fd_name\":\"not in this process\","
	      "\"stream\":\"%p\"}",
	      tid, ends[0], (void *)file);
}

/* Descriptors that are no files. */
static void plant_events(void)
{
	static int event, timer, armed, signals, watch;
	sigset_t set;
	check(event = eventfd(0, 0));
	check(timer = timerfd_create(CLOCK_MONOTONIC, 0));
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	check(signals = signalfd(-1, &set, 0));
	check(watch = inotify_init1(0));
	tell_named("read", plant("eventfd", run_read_word, &event), event, "[eventfd]");
	tell_named("read", plant("timerfd", run_read_word, &timer), timer,
		   "[timerfd], which is not armed");
	const struct itimerspec tomorrow = { .it_value = { .tv_sec = 86400 } };
	check(armed = timerfd_create(CLOCK_MONOTONIC, 0));
	check(timerfd_settime(armed, 0, &tomorrow, NULL));
	tell_named("read", plant("armed timerfd", run_read_word, &armed), armed,
		   "[timerfd], which expires in 863");
	tell_named("read", plant("signalfd", run_read_word, &signals), signals,
		   "[signalfd] of SIGHUP, SIGUSR2");
	tell_named("read", plant("inotify", run_read_word, &watch), watch, "inotify");
}

static char queue_name[40];

static void run_queue_receive(void *argument)
{
	char bytes[64];
	while (mq_receive(*(mqd_t *)argument, bytes, sizeof bytes, NULL) < 0 && errno == EINTR)
		continue;
}

static void run_queue_send(void *argument)
{
	for (;;)
		mq_send(*(mqd_t *)argument, "x", 1, 0);
}

static void plant_queues(void)
{
	static mqd_t empty, full;
	struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 64 };
	snprintf(queue_name, sizeof queue_name, "/waits-%d", getpid());
	empty = mq_open(queue_name, O_CREAT | O_RDWR, 0600, &attributes);
	mq_unlink(queue_name);
	full = mq_open(queue_name, O_CREAT | O_RDWR, 0600, &attributes);
	mq_unlink(queue_name);
	if (empty == (mqd_t)-1 || full == (mqd_t)-1)
		return; /* not every kernel has them */
	tell_named("receive", plant("mq_receive", run_queue_receive, &empty), empty, queue_name);
	tell_named("send", plant("mq_send", run_queue_send, &full), full, queue_name);
}

/* Connecting waits while the queue of the listener is full. */
static void run_connect(void *argument)
{
	struct sockaddr_un *address = argument;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	check(fd);
	while (connect(fd, (struct sockaddr *)address, sizeof *address) == 0)
		check(fd = socket(AF_UNIX, SOCK_STREAM, 0));
}

static void plant_connect(void)
{
	static struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "waits-%d", getpid());
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	check(bind(server, (struct sockaddr *)&address, sizeof address));
	check(listen(server, 0));
	tell("connect", plant("connect", run_connect, &address), -1, "");
}

static void run_poll(void *argument)
{
	(void)argument;
	struct pollfd list[] = { { empty_pipe[0], POLLIN, 0 }, { full_pipe[1], POLLOUT, 0 } };
	check(poll(list, 2, -1));
}

static void run_poll_timed(void *argument)
{
	struct pollfd list[] = { { *(int *)argument, POLLIN, 0 } };
	check(poll(list, 1, 86400 * 1000));
}

static void run_ppoll(void *argument)
{
	struct pollfd list[] = { { *(int *)argument, POLLIN, 0 } };
	check(ppoll(list, 1, &(struct timespec){ .tv_sec = 86400 }, NULL));
}

static void run_select(void *argument)
{
	fd_set in, out;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(*(int *)argument, &in);
	FD_SET(full_pipe[1], &out);
	check(select(FD_SETSIZE, &in, &out, NULL, NULL));
}

static void run_pselect(void *argument)
{
	fd_set in;
	FD_ZERO(&in);
	FD_SET(*(int *)argument, &in);
	check(pselect(*(int *)argument + 1, &in, NULL, NULL, &(struct timespec){ .tv_sec = 86400 },
		      NULL));
}

static void run_epoll(void *argument)
{
	struct epoll_event event;
	while (epoll_wait(*(int *)argument, &event, 1, -1) < 0 && errno == EINTR)
		continue;
}

static void run_poll_nothing(void *argument)
{
	(void)argument;
	while (poll(NULL, 0, 86400 * 1000) < 0 && errno == EINTR)
		continue;
}

static void run_select_timed(void *argument)
{
	(void)argument;
	while (select(0, NULL, NULL, NULL, &(struct timeval){ .tv_sec = 86400 }) < 0 &&
	       errno == EINTR)
		continue;
}

static void run_epoll_pwait(void *argument)
{
	struct epoll_event event;
	sigset_t set;
	sigemptyset(&set);
	while (epoll_pwait(*(int *)argument, &event, 1, 86400 * 1000, &set) < 0 && errno == EINTR)
		continue;
}

static void plant_polls(void)
{
	char detail[64];
	snprintf(detail, sizeof detail, "fds %d, %d (out)", empty_pipe[0], full_pipe[1]);
	tell("poll", plant("poll", run_poll, NULL), -1, detail);
	tell("poll", plant("poll timed", run_poll_timed, &empty_pipe[0]), empty_pipe[0], "");
	tell("poll", plant("ppoll", run_ppoll, &empty_pipe[0]), empty_pipe[0], "left");
	tell("select", plant("select", run_select, &empty_pipe[0]), -1, detail);
	tell("select", plant("pselect", run_pselect, &empty_pipe[0]), empty_pipe[0], "left");
	struct epoll_event event = { .events = EPOLLIN };
	check(epoll_fd = epoll_create1(0));
	check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, empty_pipe[0], &event));
	snprintf(detail, sizeof detail, "epoll of fd %d", empty_pipe[0]);
	tell_named("epoll", plant("epoll_wait", run_epoll, &epoll_fd), epoll_fd, detail);
	tell_named("epoll", plant("epoll_pwait", run_epoll_pwait, &epoll_fd), epoll_fd, detail);
	tell("poll", plant("poll nothing", run_poll_nothing, NULL), -1, "no fd");
	tell("select", plant("select nothing", run_select_timed, NULL), -1, "no fd");
}

static int first_file, second_file;

static void run_flock(void *argument)
{
	check(flock(*(int *)argument, LOCK_EX));
}

static void run_lock(void *argument)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 100, .l_len = 28 };
	check(fcntl(*(int *)argument, F_OFD_SETLKW, &lock));
}

static void run_process_lock(void *argument)
{
	struct flock lock = { .l_type = F_RDLCK, .l_start = 200 };
	check(fcntl(*(int *)argument, F_SETLKW, &lock));
}

/* A child that holds a lock of its own until this process ends. */
static pid_t lock_in_child(const char *path)
{
	int ready[2];
	char byte;
	check(pipe(ready));
	pid_t child = fork();
	check(child);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = open(path, O_RDWR);
		struct flock lock = { .l_type = F_WRLCK, .l_start = 200, .l_len = 1 };
		check(fcntl(fd, F_SETLK, &lock));
		check((int)write(ready[1], "x", 1));
		for (;;)
			pause();
	}
	check((int)read(ready[0], &byte, 1));
	return child;
}

static void plant_file_locks(void)
{
	char path[] = "/tmp/waits-descriptors-XXXXXX";
	check(first_file = mkstemp(path));
	check(second_file = open(path, O_RDWR));
	pid_t child = lock_in_child(path);
	check(unlink(path));
	check(flock(first_file, LOCK_EX));
	struct flock lock = { .l_type = F_WRLCK, .l_start = 100, .l_len = 28 };
	check(fcntl(first_file, F_OFD_SETLK, &lock));
	tell_lock(plant("flock", run_flock, &second_file), second_file, "flock, exclusive", 0,
		  first_file);
	tell_lock(plant("fcntl ofd", run_lock, &second_file), second_file,
		  "fcntl write lock, bytes 100..127", 0, first_file);
	tell_lock(plant("fcntl", run_process_lock, &second_file), second_file,
		  "fcntl read lock, bytes 200 to the end", child, 0);
}

static void run_open(void *argument)
{
	check(open(argument, O_RDONLY));
}

static void plant_fifo(void)
{
	static char path[64];
	snprintf(path, sizeof path, "waits-fifo");
	(void)unlink(path);
	check(mkfifo(path, 0600));
	int tid = plant("open fifo", run_open, path);
	tell("system call", tid, -1, path);
}

int main(void)
{
	plant_streams();
	plant_more_streams();
	plant_stream();
	plant_events();
	plant_queues();
	plant_connect();
	plant_polls();
	plant_file_locks();
	plant_fifo();
	plant_done();
}
