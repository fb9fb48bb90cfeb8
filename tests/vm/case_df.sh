# vm: dimm
# limit: 300
# shellcheck shell=sh
# df counts bytes once that are mapped several times, and has processes scanned by itself. Three
# processes and the daemon map a whole device-DAX node.
node=$(make_devdax "$(region_of 448)")
start_daemon
# shellcheck disable=SC2154 # given by run-guest
. "$here/observing.sh"
size=$(cat "/sys/bus/dax/devices/${node#/dev/}/size")
sleep 1.1
[ "$(used)" -eq 0 ] || die "df: $(used) bytes are mapped"
hold "$node" 0 "$size"
order fork
first=$answer
order fork
second=$answer
sleep 1.1
[ "$(used)" -eq "$size" ] || die "df: $(used) bytes of $size are mapped"
[ "$(held_by "$holder") $(held_by "$first") $(held_by "$second")" = "$size $size $size" ] ||
	die "not mapped by three processes: $(ls -s /pmem2fs)"
request ours "{\"source\":{\"path\":\"$node\"}}"
[ "$(used)" -eq "$size" ] || die "df: $(used) bytes of $size are mapped"
kill -9 "$first" "$second"
rm /pmem2fs/ours
order munmap 0 $((8 << 20))
sleep 1.1
[ "$(used)" -eq $((size - (8 << 20))) ] || die "df: $(used) bytes of $size are mapped"
release
alive
