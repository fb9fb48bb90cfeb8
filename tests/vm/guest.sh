# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# For scripts in the virtual machine of tools/vm: the modules for persistent memory, and
# functions that make namespaces and file systems of the emulated NVDIMMs. To be sourced, with sh.
# There is no udev: device nodes are those of devtmpfs, and /dev/disk does not exist.

# shellcheck disable=SC2154 # build and here are given by run-guest

[ "${PMEM2FS_VM-}" = yes ] || {
	echo "guest.sh: only for use in the virtual machine of tools/vm" >&2
	exit 2
}

PATH=$PATH:/usr/sbin:/sbin

# load_modules: all modules that the tests use. Without -C the ndctl package's settings hide libnvdimm;
# Loads modules that the kernel would otherwise have a helper program load: crc32c_generic is for
# ext4 and xfs, unix_diag for pmem2ctl.
load_modules() {
	modprobe -C /dev/null -a crc32c_generic nfit nd_e820 virtio_pmem nd_pmem nd_btt dax_pmem \
		device_dax ext4 xfs fuse unix_diag
}

# make_namespace MODE REGION: prints its block device (fsdax) or character device (devdax).
# --map=mem: the memory map of the pages is kept in RAM.
make_namespace() {
	ndctl create-namespace -f -m "$1" -e "namespace$2.0" -M mem >/tmp/namespace.json || return
	sed -n 's/.*"\(blockdev\|chardev\)": *"\([^"]*\)".*/\/dev\/\2/p' /tmp/namespace.json | head -n 1
}

# make_fsdax [REGION], make_devdax [REGION]: turn a whole region (default 0; 1) into one namespace
# and print its device node.
# shellcheck disable=SC2120 # the argument is optional
make_fsdax() {
	make_namespace fsdax "${1-0}"
}

make_devdax() {
	make_namespace devdax "${1-1}"
}

# make_ext4_dax FOLDER [DEVICE [OPTION...]], make_xfs_dax likewise: make a file system on an fsdax
# device (default: a new one on region 0) and mount it with DAX. With smaller blocks ext4 refuses it.
make_ext4_dax() {
	make_filesystem ext4 "-q -F -b 4096" "$@"
}

make_xfs_dax() {
	make_filesystem xfs "-q -f" "$@"
}

make_filesystem() {
	device=${4-$(make_fsdax 0)}
	[ -b "$device" ] || return
	# shellcheck disable=SC2086 # the options are words
	"mkfs.$1" $2 "$device" || return
	mkdir -p "$3" && mount -t "$1" -o "${5-dax=always}" "$device" "$3"
}

# make_labels: write empty label areas to the NVDIMMs that have one, so that their regions can be
# divided. For those without one, ndctl prints a message, which is no failure.
make_labels() {
	ndctl disable-region all
	ndctl init-labels -f all
	ndctl enable-region all
} >/dev/null 2>&1

# --- for the cases: $build and $here (the folder of this file) are set by tests/vm/run-guest ---

die() {
	echo "FAILED: $*"
	exit 1
}

# region_of MEGABYTES: the number of the region of that size
region_of() {
	for region in /sys/bus/nd/devices/region*; do
		if [ "$(cat "$region/size")" -eq $(($1 << 20)) ]; then
			echo "${region##*/region}"
			return
		fi
	done
	die "no region of $1 MiB" >&2
}

# device_of PROVIDER: the block device of the only namespace of a bus
device_of() {
	for bus in /sys/bus/nd/devices/ndbus*; do
		if [ "$(cat "$bus/provider")" = "$1" ]; then
			find "$bus"/region*/ -path '*/block/pmem*' -name 'pmem*' -printf '/dev/%f\n' | head -n 1
			return
		fi
	done
	die "no bus of $1" >&2
}

# expect_failure COMMAND...: for commands that must not succeed, under set -e
expect_failure() {
	if "$@"; then
		die "succeeded: $*"
	fi
}

# start_daemon: mount /pmem2fs; $keeper is the process that holds the mappings
start_daemon() {
	"$build/fs/pmem2fs" -f /pmem2fs >/tmp/daemon.log 2>&1 &
	keeper=$!
	echo $keeper >/tmp/daemon.pid
	for _ in $(seq 100); do
		if grep -q ' /pmem2fs fuse' /proc/mounts && ls /pmem2fs >/dev/null; then
			return
		fi
		kill -0 $keeper 2>/dev/null || break
		sleep 0.1
	done
	cat /tmp/daemon.log
	die "the daemon did not mount /pmem2fs"
}

# wait_for COMMAND...: until it succeeds
wait_for() {
	for _ in $(seq 100); do
		if "$@" >/dev/null 2>&1; then
			return
		fi
		sleep 0.1
	done
	"$@" || die "did not come: $*"
}

# mapping_of PID: the name of the only mapping of a process, which may be observed a second late
mapping_of() {
	wait_for sh -c "ls -d /pmem2fs/*.$1.*"
	basename /pmem2fs/*."$1".*
}

# follow_events: every event is in /tmp/events from now on
follow_events() {
	"$build/tools/pmem2ctl" events >/tmp/events &
	for _ in $(seq 100); do
		request follow '{"source":{"type":"anonymous","size":4096}}'
		rm /pmem2fs/follow
		if [ -s /tmp/events ]; then
			return
		fi
		sleep 0.1
	done
	die "no events came"
}

# event NAME EXPRESSION...: an event "change" of that mapping for which all of these hold has come
event() {
	/usr/bin/python3 -I -S "$here/event.py" "$@" </tmp/events
}

# newer NAME FILE: whether the document has changed after the file was last written
newer() {
	[ -n "$(find "/pmem2fs/$1" -newer "$2")" ]
}

# request NAME DOCUMENT: what "echo DOCUMENT > /pmem2fs/NAME" does, with a message that says why
request() {
	printf '%s\n' "$2" | tee "/pmem2fs/$1" >/dev/null
}

# mapped: how many areas the keeper has of files and devices that cases use
mapped() {
	grep -c -e ' /mnt/' -e ' /dev/dax' "/proc/$keeper/maps" || :
}

# used: bytes of pmem that df shows as mapped
used() {
	df -B 1 --output=used /pmem2fs | tail -n 1 | tr -d ' '
}

# refused REASON NAME DOCUMENT: the request fails for this reason and leaves nothing behind
refused() {
	before=$(ls /pmem2fs)
	areas=$(mapped)
	if message=$(request "$2" "$3" 2>&1); then
		cat "/pmem2fs/$2"
		die "not refused: $3"
	fi
	case $message in
	*"$1"*) ;;
	*) die "refused for another reason ($message): $3" ;;
	esac
	[ "$(ls /pmem2fs)" = "$before" ] || die "left something in /pmem2fs: $3"
	[ "$(mapped)" -eq "$areas" ] || die "left something mapped: $3"
}

# document NAME EXPRESSION...: /pmem2fs/NAME is a valid document for which all of these hold
document() {
	name=$1
	shift
	/usr/bin/python3 -I -S "$here/document.py" "/pmem2fs/$name" "$@"
}

# value NAME EXPRESSION: print it
value() {
	/usr/bin/python3 -I -S "$here/document.py" --print "/pmem2fs/$1" "$2"
}

# area ADDRESS: the VmFlags of the keeper's memory area there, nothing when there is none
area() {
	awk -v start="${1#0x}-" 'index($0, start) == 1 { found = 1 }
		found && /^VmFlags:/ { print; exit }' "/proc/$keeper/smaps"
}

# alive: the daemon still serves, and has reported no error of its own
alive() {
	kill -0 "$keeper" || die "the daemon is gone"
	timeout 10 ls -l /pmem2fs >/dev/null || die "the daemon does not answer"
	if grep -E 'Sanitizer|runtime error|assert|[Cc]rash|signal' /tmp/daemon.log; then
		die "the daemon's log is not clean"
	fi
}

# reset_all: removes all that one case has left before the next
reset_all() {
	if [ -e /tmp/daemon.pid ]; then
		umount -l /pmem2fs 2>/dev/null
		kill "$(cat /tmp/daemon.pid)" 2>/dev/null
		for _ in $(seq 50); do
			kill -0 "$(cat /tmp/daemon.pid)" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$(cat /tmp/daemon.pid)" 2>/dev/null
	fi
	for folder in /mnt/*; do
		mountpoint -q "$folder" && umount -l "$folder"
	done
	# nothing else: the sources and the build folder may be below /tmp or /mnt
	rm -f /tmp/daemon.pid /tmp/daemon.log /tmp/events
	# a namespace without a label is only there again after its region was enabled again
	{
		ndctl destroy-namespace -f all
		ndctl disable-region all
		ndctl enable-region all
	} >/dev/null 2>&1
	return 0
}
