/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bell.c - the descriptor that a program waits on until there is something to do
 *
 * Owns the epoll descriptor, the timer, and an anchor. Programs close descriptors that are not
 * theirs and get the same numbers for files of their own, which must not come to harm. All epoll
 * descriptors look alike, and so do timers; but sockets can be told apart by inode number. The
 * anchor is a socket on which nothing ever happens: while it is ours, the epoll descriptor that
 * knows it is ours, and so is the timer that this one knows. Asking sets again what is set already,
 * which a stranger refuses, and which changes nothing for the parent of a fork either.
 */
#include "publish/bell.h"
#include "base/file.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct {
	int epoll; /* -1: none were made */
	int anchor;
	int timer;
	struct file_identity anchored;
} bell = {.epoll = -1};

static bool in_epoll(int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	return epoll_ctl(bell.epoll, operation, fd, &event) == 0;
}

static bool epoll_is_ours(void)
{
	return bell.epoll >= 0 && file_is_same(bell.anchor, &bell.anchored) &&
	       in_epoll(EPOLL_CTL_MOD, bell.anchor, 0);
}

static bool timer_is_ours(void)
{
	return in_epoll(EPOLL_CTL_MOD, bell.timer, EPOLLIN);
}

bool bell_is_made(void)
{
	return bell.epoll >= 0;
}

bool bell_is_ours(void)
{
	return epoll_is_ours() && timer_is_ours();
}

int bell_descriptor(void)
{
	return bell.epoll;
}

static bool make_all(void)
{
	bell.epoll = file_keep_off_standard(epoll_create1(EPOLL_CLOEXEC));
	if (bell.epoll < 0)
		return false;
	/* Not connected: a stream or a sequence of packets would be hung up on. */
	bell.anchor = file_keep_off_standard(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (bell.anchor < 0)
		return false;
	bell.timer =
		file_keep_off_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	if (bell.timer < 0)
		return false;
	return file_identify(bell.anchor, &bell.anchored) &&
	       in_epoll(EPOLL_CTL_ADD, bell.anchor, 0) &&
	       in_epoll(EPOLL_CTL_ADD, bell.timer, EPOLLIN);
}

static void close_all(void)
{
	if (bell.timer >= 0)
		close(bell.timer);
	if (bell.anchor >= 0)
		close(bell.anchor);
	if (bell.epoll >= 0)
		close(bell.epoll);
}

int bell_make(void)
{
	int ret;

	if (bell_is_made())
		return 0;
	bell.anchor = -1;
	bell.timer = -1;
	if (make_all())
		return 0;
	ret = -errno;
	close_all();
	bell.epoll = -1;
	return ret;
}

void bell_unmake(void)
{
	bool epoll_ours = epoll_is_ours();

	/* A timer that no epoll descriptor of ours knows may be anybody's. */
	if (epoll_ours && timer_is_ours())
		close(bell.timer);
	if (epoll_ours)
		close(bell.epoll);
	if (bell_is_made() && file_is_same(bell.anchor, &bell.anchored))
		close(bell.anchor);
	bell.epoll = -1;
}

static void set_timer(struct itimerspec when)
{
	timerfd_settime(bell.timer, 0, &when, NULL);
}

void bell_ring(bool at_once)
{
	struct itimerspec when = {.it_interval.tv_sec = 1};

	if (at_once)
		when.it_value.tv_nsec = 1;
	else
		when.it_value.tv_sec = 1;
	set_timer(when);
}

void bell_rest(void)
{
	set_timer((struct itimerspec){0});
}

bool bell_has_rung(void)
{
	uint64_t times;

	return read(bell.timer, &times, sizeof(times)) == sizeof(times);
}

bool bell_watch(int socket, uint32_t events)
{
	return in_epoll(EPOLL_CTL_MOD, socket, events) || in_epoll(EPOLL_CTL_ADD, socket, events);
}

void bell_forget(int socket)
{
	in_epoll(EPOLL_CTL_DEL, socket, 0);
}
