# vm: dimm
# limit: 300
# shellcheck shell=sh
# Mappings of a device-DAX node, of any program, also of one on Debian's libpmem2.
node=$(make_devdax "$(region_of 448)")
start_daemon
source=$node type=devdax page=2097152
# shellcheck disable=SC2154 # given by run-guest
. "$here/observed.sh"

if [ -x "$build/tests/mount/libpmem2_program" ]; then
	rm -f /tmp/orders
	mkfifo /tmp/orders
	"$build/tests/mount/libpmem2_program" "$source" </tmp/orders >/tmp/answers &
	holder=$!
	exec 3>/tmp/orders
	answers 1
	document "$(file_of "$holder")" 'origin == "observed" and length == source["size"]' \
		"owner['pid'] == $holder and device['chardev'] == '${node#/dev/}'"
	release
	[ -z "$(files_of "$holder")" ] || die "shows after exit"
fi
alive
