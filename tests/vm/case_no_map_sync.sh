# vm: virtio-pmem
# shellcheck shell=sh
# virtio-pmem: DAX, but the host must be asked to write back, so MAP_SYNC is refused.
make_ext4_dax /mnt/pmem /dev/pmem0
start_daemon
fallocate -l 16M /mnt/pmem/log
refused "Operation not supported" log \
	'{"source":{"path":"/mnt/pmem/log"},"required_granularity":"cache_line"}'
request log '{"source":{"path":"/mnt/pmem/log"}}'
document log 'granularity == "page" and map_sync is False' 'source["type"] == "fsdax"' \
	'device["namespace"] == namespace["dev"] and device["region"] == region["dev"]'
rm /pmem2fs/log
umount /mnt/pmem
alive
