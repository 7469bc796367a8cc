/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gdbserver/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool is_path(const char *address)
{
	return strchr(address, '/') != NULL;
}

/* --- Unix sockets */

/* Whether a socket is there that nobody listens on. */
static bool is_left_over(const struct sockaddr_un *name)
{
	struct stat status;
	if (lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return false;
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool refused =
	    connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static struct error *listen_path(const char *path, int *result, char name[LISTEN_NAME_MAX])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return error_new(ERROR_BAD_DATA,
				 "%s: too long for a socket (%zu characters at most)", path,
				 sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_os(errno, "no socket could be made");
	if (is_left_over(&address))
		unlink(path);
	const mode_t mask = umask(0177);
	const bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
	const int number = errno;
	umask(mask);
	if (!bound || listen(fd, 1) != 0) {
		close(fd);
		return error_os(bound ? errno : number, "%s: cannot be listened on", path);
	}
	snprintf(name, LISTEN_NAME_MAX, "%s", path);
	*result = fd;
	return NULL;
}

/* --- TCP */

/* Parts "HOST:PORT"; without a host, the loopback address. */
static struct error *part(const char *address, char host[LISTEN_NAME_MAX], const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t length = colon != NULL ? (size_t)(colon - address) : 0;
	*port = colon != NULL ? colon + 1 : address;
	if (length > 1 && address[0] == '[' && colon[-1] == ']') { /* "[::1]:1234" */
		address++;
		length -= 2;
	}
	if (**port == '\0' || strspn(*port, "0123456789") != strlen(*port) ||
	    strtoul(*port, NULL, 10) > UINT16_MAX || length >= LISTEN_NAME_MAX)
		return error_new(ERROR_BAD_DATA,
				 "--listen wants PORT, HOST:PORT or the path of a socket, not '%s'",
				 address);
	snprintf(host, LISTEN_NAME_MAX, "%.*s", length > 0 ? (int)length : 9,
		 length > 0 ? address : "127.0.0.1");
	return NULL;
}

static void name_socket(int fd, char name[LISTEN_NAME_MAX])
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;
	char host[64] = "?", port[16] = "?";
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
			    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, LISTEN_NAME_MAX, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host,
		 port);
}

static int listen_at(const struct addrinfo *found)
{
	const int one = 1;
	const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1) == 0)
		return fd;
	const int number = errno;
	close(fd);
	errno = number;
	return -1;
}

static struct error *listen_port(const char *address, int *result, char name[LISTEN_NAME_MAX])
{
	char host[LISTEN_NAME_MAX];
	const char *port;
	struct error *error = part(address, host, &port);
	if (error != NULL)
		return error;
	const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found;
	const int status = getaddrinfo(host, port, &wanted, &found);
	if (status != 0)
		return error_new(ERROR_BAD_DATA, "%s: %s", address, gai_strerror(status));
	*result = listen_at(found);
	const int number = errno;
	freeaddrinfo(found);
	if (*result < 0)
		return error_os(number, "%s: cannot be listened on", address);
	name_socket(*result, name);
	return NULL;
}

/* --- both */

struct error *listen_begin(const char *address, int *fd, char name[LISTEN_NAME_MAX])
{
	return is_path(address) ? listen_path(address, fd, name) : listen_port(address, fd, name);
}

void listen_end(const char *address, int fd)
{
	close(fd);
	if (is_path(address))
		unlink(address);
}

struct error *listen_accept(int fd, int *connection)
{
	const int one = 1;
	do {
		*connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	} while (*connection < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (*connection < 0)
		return error_os(errno, "no debugger could be let in");
	setsockopt(*connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return NULL;
}
