// SPDX-License-Identifier: BSD-3-Clause
/*
 * connection.c - the daemon's socket: finding it, requests and answers
 *
 * The daemon must be run by root or by the user. What it sends is still checked: an answer that
 * makes no sense is a failure of the request. Calls report.c, memory.c,
 * base/descriptor.c and base/escape.c.
 */

#include "ctl/connection.h"
#include "base/descriptor.h"
#include "base/escape.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include "protocol/control.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Returns a descriptor or a negative errno; -EPERM: another user's process listens there. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int error;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length)) {
		error = -errno;
		goto close_fd;
	}
	if (peer.uid != 0 && peer.uid != geteuid()) {
		error = -EPERM;
		goto close_fd;
	}
	return fd;

close_fd:
	close(fd);
	return error;
}

static const char *connect_error(int error)
{
	return error == -EPERM ? "run by neither root nor you" : strerror(-error);
}

int connection_open(const char *path)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char *own = NULL;
	bool search;
	int fd;
	int own_fd;

	if (!path)
		path = secure_getenv("PMEM2FS_SOCKET");
	search = !path || !*path;
	if (search)
		path = CONTROL_SOCKET;

	fd = connect_to(path);
	if (fd >= 0)
		return fd;
	if (!search || !runtime || !*runtime) {
		report(NULL, "no pmem2fs daemon: tried %s: %s", path, connect_error(fd));
		return -1;
	}

	own = memory_format("%s/pmem2fs/socket", runtime);
	own_fd = connect_to(own);
	if (own_fd < 0)
		report(NULL, "no pmem2fs daemon: tried %s: %s; %s: %s", path, connect_error(fd),
		       own, connect_error(own_fd));
	free(own);
	return own_fd < 0 ? -1 : own_fd;
}

static int send_request(int connection, const char *text, size_t length, int fd)
{
	int ret;

	do {
		ret = descriptor_send(connection, text, length, 0, fd);
	} while (ret == -EINTR);
	/* A daemon that closes the connection may have sent the reason before. */
	return ret == -EPIPE || ret == -ECONNRESET ? 0 : ret;
}

ssize_t connection_receive_bytes(int connection, const char *object, char *bytes)
{
	struct iovec iov = {.iov_base = bytes, .iov_len = CONTROL_MAX_BYTES};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	bool reset = false; /* said once, before the packets that came before it */
	ssize_t length;

	do {
		length = recvmsg(connection, &message, 0);
		if (length >= 0 || (errno == ECONNRESET && reset))
			break;
		reset = errno == ECONNRESET;
	} while (reset || errno == EINTR);
	if (length > 0 && !(message.msg_flags & MSG_TRUNC))
		return length;
	if (length > 0)
		report(object, "the daemon sent more than %d bytes at once", CONTROL_MAX_BYTES);
	else if (length == 0 || errno == ECONNRESET)
		report(object, "the daemon closed the connection");
	else
		report(object, "cannot hear the daemon: %s", strerror(errno));
	return -1;
}

json_t *connection_receive(int connection, const char *object)
{
	static char packet[CONTROL_MAX_BYTES];
	ssize_t length = connection_receive_bytes(connection, object, packet);
	json_t *root;

	if (length < 0)
		return NULL;
	root = json_loadb(packet, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root)) {
		report(object, "the daemon sent what is not a JSON object");
		json_decref(root);
		return NULL;
	}
	return root;
}

/* The daemon's messages may begin with the object's name, which is printed once. */
static void report_refusal(const char *object, int error, const char *message)
{
	char *name =
		memory_require(escape_encode(object ? object : "")); /* as the daemon spells it */
	size_t length = strlen(name);

	if (!message)
		message = strerror(error);
	else if (!strncmp(message, name, length) && !strncmp(message + length, ": ", 2))
		object = NULL;
	report(object, "%s", message);
	free(name);
}

bool connection_send(int connection, const char *object, json_t *request, int fd)
{
	char *text = memory_require(json_dumps(request, JSON_COMPACT));
	int error = send_request(connection, text, strlen(text), fd);

	free(text);
	json_decref(request);
	if (error)
		report(object, "cannot ask the daemon: %s", strerror(-error));
	return !error;
}

/*
 * Waits for an answer, which *root gets even when it is a refusal; *refusal is its errno, which is
 * not reported. The lack of a valid answer is.
 */
static enum answer receive_answer(int connection, const char *object, json_t **root, int *refusal)
{
	const json_t *number;
	json_int_t value;

	*root = connection_receive(connection, object);
	if (!*root)
		return ANSWER_LOST;
	number = json_object_get(*root, "errno");
	value = json_integer_value(number);
	if (!json_is_integer(number) || value < 0 || value > 4095) {
		report(object, "the daemon's answer has no valid \"errno\"");
		json_decref(*root);
		return ANSWER_LOST;
	}
	*refusal = (int)value;
	return value ? ANSWER_REFUSED : ANSWER_SUCCESS;
}

static const char *refusal_message(const json_t *root)
{
	return json_string_value(json_object_get(root, "message"));
}

enum answer connection_answer(int connection, const char *object, json_t **answer)
{
	json_t *root;
	int refusal;
	enum answer result = receive_answer(connection, object, &root, &refusal);

	if (result == ANSWER_LOST)
		return result;
	if (result == ANSWER_REFUSED)
		report_refusal(object, refusal, refusal_message(root));
	else if (answer)
		*answer = json_incref(root);
	json_decref(root);
	return result;
}

enum answer connection_ask(int connection, const char *object, json_t *request, int fd,
			   json_t **answer)
{
	if (!connection_send(connection, object, request, fd))
		return ANSWER_LOST;
	return connection_answer(connection, object, answer);
}

enum scan_result connection_scan(int connection)
{
	enum scan_result scan = SCAN_UNSUPPORTED;
	json_t *root;
	int refusal;
	enum answer result;

	if (!connection_send(connection, NULL, memory_require(json_pack("{s:i}", "look", 1)), -1))
		return SCAN_FAILED;
	result = receive_answer(connection, NULL, &root, &refusal);
	if (result == ANSWER_LOST)
		return SCAN_FAILED;
	if (result == ANSWER_SUCCESS) {
		const json_t *complete = json_object_get(root, "complete");
		if (json_is_boolean(complete))
			scan = json_is_true(complete) ? SCAN_COMPLETE : SCAN_PARTIAL;
	} else if (refusal != EINVAL) {
		report_refusal(NULL, refusal, refusal_message(root));
		scan = SCAN_FAILED;
	}
	json_decref(root);
	return scan;
}
