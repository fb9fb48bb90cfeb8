// SPDX-License-Identifier: BSD-3-Clause
/*
 * exchange.c - see exchange.h
 *
 * Calls connection.c and report.c.
 */

#include "ctl/exchange.h"
#include "ctl/connection.h"
#include "ctl/report.h"

static void lose(struct exchange *exchange)
{
	exchange->failed = exchange->lost = true;
	for (; exchange->count; exchange->count--)
		report(exchange->objects[exchange->first++ % EXCHANGE_AHEAD], "not tried");
}

static void take_answer(struct exchange *exchange)
{
	const char *object = exchange->objects[exchange->first++ % EXCHANGE_AHEAD];
	enum answer answer = connection_answer(exchange->connection, object, NULL);

	exchange->count--;
	if (answer == ANSWER_LOST)
		lose(exchange);
	else if (answer == ANSWER_REFUSED || (exchange->succeeded && !exchange->succeeded(object)))
		exchange->failed = true;
}

void exchange_ask(struct exchange *exchange, const char *object, json_t *question, int fd)
{
	if (exchange->count == EXCHANGE_AHEAD)
		take_answer(exchange);
	if (exchange->lost) {
		report(object, "not tried");
		json_decref(question);
	} else if (connection_send(exchange->connection, object, question, fd)) {
		exchange->objects[(exchange->first + exchange->count++) % EXCHANGE_AHEAD] = object;
	} else {
		exchange_finish(exchange); /* of those before */
		exchange->failed = exchange->lost = true;
	}
}

void exchange_finish(struct exchange *exchange)
{
	while (exchange->count)
		take_answer(exchange);
}
