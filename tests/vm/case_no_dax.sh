# vm: dimm
# shellcheck shell=sh
# A file system on pmem that is mounted without DAX goes through the page cache.
make_ext4_dax /mnt/pmem "$(make_fsdax "$(region_of 448)")" dax=never
start_daemon
fallocate -l 16M /mnt/pmem/log
refused "Operation not supported" log \
	'{"source":{"path":"/mnt/pmem/log"},"required_granularity":"cache_line"}'
refused "Operation not supported" log \
	'{"source":{"path":"/mnt/pmem/log"},"required_granularity":"byte"}'
request log '{"source":{"path":"/mnt/pmem/log"}}'
document log 'granularity == "page" and map_sync is False' 'source["type"] == "file"' \
	'device["namespace"] == namespace["dev"]'
rm /pmem2fs/log
umount /mnt/pmem
alive
