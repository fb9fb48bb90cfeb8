// SPDX-License-Identifier: BSD-3-Clause
/*
 * other_holders.c - who holds an object otherwise than by a mapping
 *
 * Owns the list and the texts in it, and prints them. Calls json.c, memory.c and sysfs.c.
 */
#include "ctl/other_holders.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/sysfs.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text)
{
	return text ? memory_require(strdup(text)) : NULL;
}

void other_holders_add(struct other_holders *holders, const struct other_holder *holder)
{
	struct other_holder *added;

	memory_reserve(holders->list, &holders->room, holders->count + 1, 16);
	added = &holders->list[holders->count++];
	*added = *holder;
	added->type = copy_text(holder->type);
	added->path = copy_text(holder->path);
	added->name = copy_text(holder->name);
	added->label = copy_text(holder->label);
	added->comm = copy_text(holder->comm);
}

void other_holders_doubt(struct other_holders *holders, enum holder_doubt doubt, const char *format,
			 ...)
{
	va_list arguments;

	if (holders->doubts[doubt])
		return;
	va_start(arguments, format);
	holders->doubts[doubt] = memory_vformat(format, arguments);
	va_end(arguments);
}

void other_holders_doubt_process(struct other_holders *holders, enum holder_doubt doubt, pid_t pid,
				 const char *text)
{
	char *process, *comm;

	if (holders->doubts[doubt])
		return;
	process = memory_format("/proc/%d", (int)pid);
	comm = sysfs_text(process, "comm");
	other_holders_doubt(holders, doubt, "process %d (%s) %s", (int)pid, comm ? comm : "?",
			    text);
	free(comm);
	free(process);
}

void other_holders_forget_look(struct other_holders *holders)
{
	for (int i = DOUBT_FIRST_OF_LOOK; i < DOUBT_COUNT; i++) {
		free(holders->doubts[i]);
		holders->doubts[i] = NULL;
	}
}

bool other_holders_in_doubt(const struct other_holders *holders, bool of_look)
{
	for (int i = of_look ? DOUBT_FIRST_OF_LOOK : 0; i < DOUBT_COUNT; i++)
		if (holders->doubts[i])
			return true;
	return false;
}

void other_holders_move(struct other_holders *holders, struct other_holders *from)
{
	for (size_t i = 0; i < from->count; i++) {
		memory_reserve(holders->list, &holders->room, holders->count + 1, 16);
		holders->list[holders->count++] = from->list[i];
	}
	from->count = 0;
	for (int i = 0; i < DOUBT_COUNT; i++) {
		if (holders->doubts[i])
			continue;
		holders->doubts[i] = from->doubts[i];
		from->doubts[i] = NULL;
	}
}

static void print_process(FILE *stream, const struct other_holder *holder)
{
	fprintf(stream, "process %d (%s)", holder->pid, holder->comm ? holder->comm : "?");
}

char *other_holder_text(const struct other_holder *holder)
{
	const struct object_device *device = holder->device;
	FILE *stream;
	char *text;
	size_t length;

	stream = memory_require(open_memstream(&text, &length));
	if (device)
		fprintf(stream, "%s%s%s%s: ", device->name, device->layer ? " (" : "",
			device->layer ? device->layer : "", device->layer ? ")" : "");
	switch (holder->kind) {
	case HOLDER_MOUNT:
		fprintf(stream, "%s, mounted on %s", holder->type, holder->path);
		if (holder->pid) {
			fputs(" in the mount namespace of ", stream);
			print_process(stream, holder);
		}
		break;
	case HOLDER_STACKED:
		fprintf(stream, "below %s", holder->name);
		if (holder->label)
			fprintf(stream, " (%s)", holder->label);
		break;
	case HOLDER_SWAP:
		fprintf(stream, "swap space %s", holder->path);
		break;
	case HOLDER_LOOP:
		fprintf(stream, "%s is behind %s", holder->path, holder->name);
		break;
	case HOLDER_MEMORY:
		fputs("memory of this host (system-ram)", stream);
		break;
	case HOLDER_OPEN:
		fprintf(stream, "%s is open in ", holder->path);
		print_process(stream, holder);
		break;
	case HOLDER_PROGRAM:
		fprintf(stream, "%s is run by ", holder->path);
		print_process(stream, holder);
		break;
	case HOLDER_MAPPED:
		fprintf(stream, "%s is mapped by ", holder->path);
		print_process(stream, holder);
		break;
	case HOLDER_SOCKET:
		fprintf(stream, "socket %s is bound", holder->path);
		if (holder->pid) {
			fputs(" by ", stream);
			print_process(stream, holder);
		}
		break;
	case HOLDER_KERNEL:
		fprintf(stream, "%s is open in the kernel (%s)", holder->path, holder->name);
		break;
	case HOLDER_EXCLUSIVE:
		fputs("in exclusive use, for what cannot be seen", stream);
		break;
	}
	if (fclose(stream))
		memory_exhausted();
	return text;
}

json_t *other_holder_json(const struct other_holder *holder)
{
	static const char *const kinds[] = {
		[HOLDER_MOUNT] = "mount",         [HOLDER_STACKED] = "stacked",
		[HOLDER_SWAP] = "swap",           [HOLDER_LOOP] = "loop",
		[HOLDER_MEMORY] = "memory",       [HOLDER_OPEN] = "open",
		[HOLDER_PROGRAM] = "program",     [HOLDER_MAPPED] = "mapped",
		[HOLDER_SOCKET] = "socket",       [HOLDER_KERNEL] = "kernel",
		[HOLDER_EXCLUSIVE] = "exclusive",
	};
	json_t *object = memory_require(json_pack("{s:s}", "kind", kinds[holder->kind]));

	if (holder->device) {
		json_put_bytes(object, "device", holder->device->name);
		json_put_bytes(object, "layer", holder->device->layer);
	}
	json_put_bytes(object, "name", holder->name);
	json_put_bytes(object, "label", holder->label);
	json_put_bytes(object, "type", holder->type);
	json_put_bytes(object, "path", holder->path);
	if (holder->pid) {
		json_put(object, "pid", json_integer(holder->pid));
		json_put_bytes(object, "comm", holder->comm);
	}
	return object;
}

void other_holders_clear(struct other_holders *holders)
{
	for (size_t i = 0; i < holders->count; i++) {
		free(holders->list[i].type);
		free(holders->list[i].path);
		free(holders->list[i].name);
		free(holders->list[i].label);
		free(holders->list[i].comm);
	}
	free(holders->list);
	for (int i = 0; i < DOUBT_COUNT; i++)
		free(holders->doubts[i]);
}
