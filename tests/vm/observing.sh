# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# For cases that observe the mappings of other processes. To be sourced.

# shellcheck disable=SC2154 # build is given by run-guest

# hold FILE OFFSET LENGTH: a process that maps it; $holder is its pid
hold() {
	rm -f /tmp/orders
	mkfifo /tmp/orders
	: >/tmp/answers
	"$build/tests/vm/obedient" "$@" </tmp/orders >/tmp/answers &
	holder=$!
	exec 3>/tmp/orders
	answers 1
}

# answers COUNT: wait until COUNT orders were answered, and print the last answer
answers() {
	for _ in $(seq 100); do
		[ "$(wc -l </tmp/answers)" -ge "$1" ] && break
		sleep 0.05
	done
	answer=$(tail -n 1 /tmp/answers)
}

# order WORD...: have the process do it
order() {
	given=$(($(wc -l </tmp/answers) + 1))
	echo "$*" >&3
	answers $given
	[ "$answer" = "done" ] || [ "$1" = fork ] || die "$*: $answer"
}

# release: end the process that holds
release() {
	exec 3>&-
	wait "$holder" || die "the holder ended with $?"
}

# files_of PID: the names of its mappings, after a new scan
files_of() {
	"$build/tools/pmem2ctl" list >/dev/null 2>&1 || die "no look"
	ls /pmem2fs >/tmp/names
	grep -F ".$1." /tmp/names || :
}

# file_of PID: the name of its only mapping
file_of() {
	files=$(files_of "$1")
	[ "$(echo "$files" | grep -c .)" -eq 1 ] || die "not one file: $files" >&2
	echo "$files"
}

# held_by PID: how many bytes the process has mapped according to its entries
held_by() {
	held=0
	for name in $(files_of "$1"); do
		held=$((held + $(stat -c %b "/pmem2fs/$name") * 512))
	done
	echo $held
}

# expect_held PID BYTES
expect_held() {
	held=$(held_by "$1")
	[ "$held" -eq "$2" ] || {
		head -n 50 /pmem2fs/*
		cat "/proc/$1/maps"
		die "process $1 holds $held bytes instead of $2"
	}
}
