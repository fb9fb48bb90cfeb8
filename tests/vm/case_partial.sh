# vm: dimms
# shellcheck shell=sh
# Parts of mappings are unmapped: on device DAX, whose pages are 2 MiB, and on ext4 with DAX. The
# rest shows, with the bad blocks in it, and is restored as a whole.
node=$(make_devdax "$(region_of 448)")
make_labels
region=region$(region_of 384)
device=/dev/$(ndctl create-namespace -r "$region" -m fsdax -M mem -s 192M |
	sed -n 's/.*"blockdev":"\([^"]*\)".*/\1/p')
make_ext4_dax /mnt/pmem "$device"
start_daemon
ctl=$build/tools/pmem2ctl

# part ARGUMENT...: unmap a part, and wait until the kernel no longer shows an old document
part() {
	"$ctl" unmap "$@"
	sleep 1.1
}

# range_refused REASON ARGUMENT...: pmem2ctl unmap fails for this reason and changes nothing
range_refused() {
	reason=$1
	shift
	before=$(cat /pmem2fs/*)
	if message=$("$ctl" unmap "$@" 2>&1); then
		die "not refused: $*"
	fi
	case $message in
	*"$reason"*) ;;
	*) die "refused for another reason ($message): $*" ;;
	esac
	[ "$(cat /pmem2fs/*)" = "$before" ] || die "refused, but something changed: $*"
}

request dax "{\"source\":{\"path\":\"$node\",\"offset\":2097152},\"length\":16777216}"
document dax 'state == "active" and "extents" not in document'
[ "$(used)" -eq 16777216 ] || die "df: $(used) bytes are mapped"
range_refused "offset 4096 is not a multiple of 2097152" --offset 4K dax
part --offset 4M --length 1 dax # a byte stands for its page
document dax 'state == "partial"' \
	'extents == [{"offset": 0, "length": 4 << 20}, {"offset": 6 << 20, "length": 10 << 20}]' \
	'source["path"] == "/dev/" + device["chardev"]' 'source["size"] == namespace["size"]' \
	'length == 16 << 20 and source["offset"] == 2 << 20' 'device["badblocks"] == []'
[ "$(used)" -eq $((14 << 20)) ] || die "df: $(used) bytes are mapped"
[ "$(du -k /pmem2fs/dax | cut -f 1)" -eq $((14 << 10)) ] || die "du: $(du -k /pmem2fs/dax)"
[ "$(mapped)" -eq 2 ] || die "$(cat "/proc/$keeper/maps")"
part --offset 0 --length 2M dax
part --offset 14M dax
document dax \
	'extents == [{"offset": 2 << 20, "length": 2 << 20}, {"offset": 6 << 20, "length": 8 << 20}]'
cat /pmem2fs/dax >/tmp/saved
rm /pmem2fs/dax
[ "$(mapped)" -eq 0 ] || die "something is still mapped"
cp /tmp/saved /pmem2fs/dax
document dax 'state == "active" and length == 16 << 20'
part --offset 0 dax
[ "$(mapped)" -eq 0 ] || die "something is still mapped"
document dax 'state == "partial" and extents == []' 'source["path"] is None' \
	'source["size"] is None' 'device["badblocks"] == []'
[ "$(used)" -eq 0 ] || die "df: $(used) bytes are mapped"
# a mapping at the addresses of the unmapped part is no part of it
request again "{\"source\":{\"path\":\"$node\",\"offset\":2097152},\"length\":16777216}"
document again 'state == "active"'
document dax 'state == "partial" and extents == []'
rm /pmem2fs/dax
document again 'state == "active"'
rm /pmem2fs/again

fallocate -l 4M /mnt/pmem/log
# sector of the device where byte $1 of the file is
sector() {
	filefrag -b512 -v /mnt/pmem/log | tr -d .: | awk -v wanted=$(($1 / 512)) '
		$1 ~ /^[0-9]+$/ && $2 <= wanted && wanted <= $3 { print $4 + wanted - $2; exit }'
}
request log '{"source":{"path":"/mnt/pmem/log"},"required_granularity":"cache_line"}'
range_refused "offset 512 is not a multiple of 4096" --offset 512 --length 512 log
bad=$(value log 'device["badblock_count"]') # left by other cases
echo "$(sector 8192) 8" >"/sys/block/${device#/dev/}/badblocks"
echo "$(sector 1048576) 16" >"/sys/block/${device#/dev/}/badblocks"
sleep 1.1
document log 'device["badblocks"] == [{"offset": 8192, "length": 4096}, {"offset": 1048576, "length": 8192}]'
part --offset 8K --length 4K log
part --offset 1028K --length 1M log
document log 'device["badblocks"] == [{"offset": 1048576, "length": 4096}]' 'map_sync is True' \
	'[e["offset"] for e in extents] == [0, 12288, 2101248]' \
	'source["path"] == "/mnt/pmem/log" and source["size"] == 4 << 20' "device[\"badblock_count\"] == $bad + 2"
expect_failure umount /mnt/pmem
part --offset 0 log
umount /mnt/pmem
document log 'extents == [] and device["badblocks"] == []'
rm /pmem2fs/log
alive
