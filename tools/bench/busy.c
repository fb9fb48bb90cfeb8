// SPDX-License-Identifier: BSD-3-Clause
/*
 * busy.c - other CPUs that have work to do meanwhile
 *
 * Owns a process for each CPU, which does nothing but count, with the priority of bench. They end
 * when bench does. Calls message.c.
 */
#include "bench/busy.h"
#include "bench/message.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void count_on(int cpu)
{
	volatile unsigned count = 0;
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "busy");
	signal(SIGTERM, SIG_DFL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		_exit(1);
	for (;;)
		count++;
}

int busy_start(struct busy *busy, const cpu_set_t *cpus, int except)
{
	busy->count = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		pid_t pid;

		if (!CPU_ISSET(cpu, cpus) || cpu == except)
			continue;
		pid = fork();
		if (pid == 0)
			count_on(cpu);
		if (pid < 0) {
			message_error("fork: %m");
			return -EAGAIN;
		}
		busy->pid[busy->count++] = pid;
	}
	return 0;
}

void busy_stop(struct busy *busy)
{
	for (unsigned i = 0; i < busy->count; i++)
		kill(busy->pid[i], SIGKILL);
	for (unsigned i = 0; i < busy->count; i++)
		waitpid(busy->pid[i], NULL, 0);
	busy->count = 0;
}
