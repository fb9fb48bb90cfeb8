/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wakeup.c - the descriptor that a program waits on until there is something to do
 *
 * Owns three descriptors: an epoll descriptor, a timer, and an anchor. Calls base/fd and libc.
 *
 * A program may close descriptors that are not its own and get the same numbers for other files,
 * which this file must not change. One epoll descriptor cannot be distinguished from another, nor
 * one timer from another, but a socket has an inode number of its own. The anchor is a socket on
 * which nothing ever happens. While the anchor is ours, an epoll descriptor that contains it is
 * ours, and so is the timer that this epoll descriptor contains. Membership is tested by setting
 * the events that are set already: this fails on a foreign descriptor, and changes nothing for the
 * parent of a fork, which shares the epoll descriptor.
 */
#include "publish/wakeup.h"
#include "base/fd.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct {
	int epoll; /* -1: no descriptor has been made */
	int anchor;
	int timer;
	struct fd_identity anchored;
} wakeup = {.epoll = -1};

static bool in_epoll(int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	return epoll_ctl(wakeup.epoll, operation, fd, &event) == 0;
}

static bool epoll_is_ours(void)
{
	return wakeup.epoll >= 0 && fd_is_same(wakeup.anchor, &wakeup.anchored) &&
	       in_epoll(EPOLL_CTL_MOD, wakeup.anchor, 0);
}

static bool timer_is_ours(void)
{
	return in_epoll(EPOLL_CTL_MOD, wakeup.timer, EPOLLIN);
}

bool wakeup_is_made(void)
{
	return wakeup.epoll >= 0;
}

bool wakeup_is_ours(void)
{
	return epoll_is_ours() && timer_is_ours();
}

int wakeup_descriptor(void)
{
	return wakeup.epoll;
}

static bool make_all(void)
{
	wakeup.epoll = fd_move_off_standard(epoll_create1(EPOLL_CLOEXEC));
	if (wakeup.epoll < 0)
		return false;
	/* A datagram socket: an unconnected socket of another type reports EPOLLHUP. */
	wakeup.anchor = fd_move_off_standard(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (wakeup.anchor < 0)
		return false;
	wakeup.timer =
		fd_move_off_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	if (wakeup.timer < 0)
		return false;
	return fd_identify(wakeup.anchor, &wakeup.anchored) &&
	       in_epoll(EPOLL_CTL_ADD, wakeup.anchor, 0) &&
	       in_epoll(EPOLL_CTL_ADD, wakeup.timer, EPOLLIN);
}

static void close_all(void)
{
	if (wakeup.timer >= 0)
		close(wakeup.timer);
	if (wakeup.anchor >= 0)
		close(wakeup.anchor);
	if (wakeup.epoll >= 0)
		close(wakeup.epoll);
}

int wakeup_make(void)
{
	int ret;

	if (wakeup_is_made())
		return 0;
	wakeup.anchor = -1;
	wakeup.timer = -1;
	if (make_all())
		return 0;
	ret = -errno;
	close_all();
	wakeup.epoll = -1;
	return ret;
}

void wakeup_unmake(void)
{
	bool epoll_ours = epoll_is_ours();

	/* A timer that is not in our epoll descriptor may belong to the program. */
	if (epoll_ours && timer_is_ours())
		close(wakeup.timer);
	if (epoll_ours)
		close(wakeup.epoll);
	if (wakeup_is_made() && fd_is_same(wakeup.anchor, &wakeup.anchored))
		close(wakeup.anchor);
	wakeup.epoll = -1;
}

static void set_timer(struct itimerspec when)
{
	timerfd_settime(wakeup.timer, 0, &when, NULL);
}

void wakeup_arm(bool at_once)
{
	struct itimerspec when = {.it_interval.tv_sec = 1};

	if (at_once)
		when.it_value.tv_nsec = 1;
	else
		when.it_value.tv_sec = 1;
	set_timer(when);
}

void wakeup_disarm(void)
{
	set_timer((struct itimerspec){0});
}

bool wakeup_has_expired(void)
{
	uint64_t times;

	return read(wakeup.timer, &times, sizeof(times)) == sizeof(times);
}

bool wakeup_watch(int socket, uint32_t events)
{
	return in_epoll(EPOLL_CTL_MOD, socket, events) || in_epoll(EPOLL_CTL_ADD, socket, events);
}

void wakeup_unwatch(int socket)
{
	in_epoll(EPOLL_CTL_DEL, socket, 0);
}
