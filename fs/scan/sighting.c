/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sighting.c - see sighting.h
 */
#include "scan/sighting.h"
#include <stdlib.h>
#include <unistd.h>

void news_free(struct news *news)
{
	if (!news)
		return;
	for (size_t i = 0; i < news->count; i++)
		free(news->list[i].extents);
	free(news->list);
	if (news->pidfd >= 0)
		close(news->pidfd);
	free(news);
}
