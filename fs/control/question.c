/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * question.c - see question.h
 */
#include "control/question.h"
#include "base/json_fields.h"
#include "control/rights.h"
#include <unistd.h>

void question_answer(struct question *question, int error, const char *why)
{
	json_t *message = json_pack("{s:i}", "errno", error);

	if (error)
		json_field_bytes(message, "message", why);
	question->answer(question, message);
}

bool question_may_use_root(const struct question *question, unsigned want)
{
	struct rights rights;
	bool may;

	rights_get(&rights, &question->peer, question->socket);
	may = rights_allow(&rights, geteuid(), getegid(), question->means->rootmode, want);
	rights_clear(&rights);
	return may;
}
