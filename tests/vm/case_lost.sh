# vm: dimms
# shellcheck shell=sh
# A mapped file can be truncated, removed or unmounted. The daemon and other mappings are not affected,
# and rm still unmaps and closes.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
make_xfs_dax /mnt/other "$(make_fsdax "$(region_of 448)")"
start_daemon
for name in truncated removed unmounted; do
	fallocate -l 64M "/mnt/pmem/$name"
	request "$name" "{\"source\":{\"path\":\"/mnt/pmem/$name\"}}"
done
fallocate -l 1M /mnt/other/untouched
request untouched '{"source":{"path":"/mnt/other/untouched"}}'
namespace=$(value unmounted 'device["namespace"]')
cp /pmem2fs/untouched /tmp/before

truncate -s 0 /mnt/pmem/truncated
sleep 1.1
document truncated 'length == 64 << 20 and source["size"] == 0'
alive
rm /pmem2fs/truncated

space_is_back() {
	[ $(($(stat -f -c %f /mnt/pmem) - free)) -gt 15000 ]
}

free=$(stat -f -c %f /mnt/pmem)
rm /mnt/pmem/removed
sleep 1.1
document removed 'source["deleted"] is True and source["path"] == "/mnt/pmem/removed"'
[ $(($(stat -f -c %f /mnt/pmem) - free)) -lt 1024 ] || die "the space came back too early"
rm /pmem2fs/removed
wait_for space_is_back # the file may be closed a little later

umount -l /mnt/pmem
sleep 1.1
document unmounted 'length == 64 << 20'
alive
expect_failure ndctl disable-namespace "$namespace"
rm /pmem2fs/unmounted
wait_for ndctl disable-namespace "$namespace" # as above

cmp /tmp/before /pmem2fs/untouched || die "another mapping's document changed"
[ "$(ls /pmem2fs)" = untouched ] || die "unexpected: $(ls /pmem2fs)"
alive

# The disk itself goes, and XFS shuts down, after which nothing can be read of its files. No page was ever
# touched through a mapping: with such pages Linux 6.1 does not survive the unmounting.
mkfifo /tmp/below
"$build/tests/vm/mapper" --plain /mnt/other/untouched </tmp/below >/tmp/below.out &
plain=$!
exec 3>/tmp/below
wait_for grep -q done /tmp/below.out
follow_events
disk=$(value untouched 'device["blockdev"]')
pfn=$(basename "$(readlink -f "/sys/block/$disk/device")")
other=$(mapping_of "$plain")
touch /tmp/mark
for name in untouched "$other"; do
	newer "$name" /tmp/mark && die "$name: nothing has changed, and it is newer"
done
echo "$pfn" >/sys/bus/nd/drivers/nd_pmem/unbind
for name in untouched "$other"; do
	wait_for event "$name" 'state == "lost" and badblocks is None'
	wait_for newer "$name" /tmp/mark # the kernel may know its times for a second
done
document untouched 'state == "lost" and source["path"] == "/mnt/other/untouched"' \
	"device['blockdev'] == '$disk' and device['badblocks'] is None"
echo "$pfn" >/sys/bus/nd/drivers/nd_pmem/bind
xfs_io -x -c shutdown /mnt/other || : # XFS has shut down by itself, when it wrote to the disk
expect_failure stat /mnt/other/untouched
sleep 1.1
for name in untouched "$other"; do
	grep -q '"state": "lost"' "/pmem2fs/$name" || die "$name is no longer lost"
	grep -q '"path": "/mnt/other/untouched"' "/pmem2fs/$name" || die "$name has lost its path"
done
rm /pmem2fs/untouched
echo exit >&3
wait "$plain"
umount /mnt/other
alive
