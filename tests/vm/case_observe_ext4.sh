# vm: dimm
# limit: 300
# shellcheck shell=sh
# Mappings of ext4 with DAX, of any program, also of one on Debian's libpmem2; of other files none.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 448)")"
start_daemon
fallocate -l 64M /mnt/pmem/log
source=/mnt/pmem/log type=fsdax page=4096
# shellcheck disable=SC2154 # given by run-guest
. "$here/observed.sh"

# a file without DAX is not observed
dd if=/dev/zero of=/tmp/plain bs=1M count=1 2>/dev/null
hold /tmp/plain 0 65536
[ -z "$(files_of "$holder")" ] || die "a file without DAX shows: $files"
release
rm /tmp/plain

hold "$source" 0 65536
order mremap 131072
expect_held "$holder" 131072
order mremap 16384
expect_held "$holder" 16384
release

if [ -x "$build/tests/mount/libpmem2_program" ]; then
	rm -f /tmp/orders
	mkfifo /tmp/orders
	"$build/tests/mount/libpmem2_program" "$source" </tmp/orders >/tmp/answers &
	holder=$!
	exec 3>/tmp/orders
	answers 1
	document "$(file_of "$holder")" 'origin == "observed" and length == 64 << 20' \
		"owner['pid'] == $holder and hex(int(address, 16)) == '0x$(cut -d ' ' -f 2 /tmp/answers)'"
	release
	[ -z "$(files_of "$holder")" ] || die "shows after exit"
fi
alive
