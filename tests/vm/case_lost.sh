# vm: dimms
# shellcheck shell=sh
# What a mapping is of can be truncated, removed or unmounted below it. The daemon takes no harm,
# other mappings do not notice, and rm still gives back what is held.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 512)")"
make_ext4_dax /mnt/other "$(make_fsdax "$(region_of 448)")"
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

free=$(stat -f -c %f /mnt/pmem)
rm /mnt/pmem/removed
sleep 1.1
document removed 'source["deleted"] is True and source["path"] == "/mnt/pmem/removed"'
[ $(($(stat -f -c %f /mnt/pmem) - free)) -lt 1024 ] || die "the space came back too early"
rm /pmem2fs/removed
[ $(($(stat -f -c %f /mnt/pmem) - free)) -gt 15000 ] || die "the space did not come back"

umount -l /mnt/pmem
sleep 1.1
document unmounted 'length == 64 << 20'
alive
expect_failure ndctl disable-namespace "$namespace"
rm /pmem2fs/unmounted
ndctl disable-namespace "$namespace"

cmp /tmp/before /pmem2fs/untouched || die "another mapping's document changed"
[ "$(ls /pmem2fs)" = untouched ] || die "unexpected: $(ls /pmem2fs)"
alive
