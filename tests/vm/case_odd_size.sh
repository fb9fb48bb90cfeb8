# vm: dimm
# shellcheck shell=sh
# A file of 5000 bytes is mapped, saved, removed and restored.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 448)")"
start_daemon
head -c 5000 /dev/urandom >/mnt/pmem/odd
cp /mnt/pmem/odd /tmp/contents
request odd '{"source":{"path":"/mnt/pmem/odd"},"required_granularity":"cache_line"}'
document odd 'source["size"] == 5000 and length >= 5000'
length=$(value odd length)
cat /pmem2fs/odd >/tmp/saved
rm /pmem2fs/odd
cp /tmp/saved /pmem2fs/odd
document odd "length == $length" 'source["size"] == 5000 and granularity == "cache_line"'
rm /pmem2fs/odd
cmp /tmp/contents /mnt/pmem/odd || die "the file's contents changed"
umount /mnt/pmem
alive
