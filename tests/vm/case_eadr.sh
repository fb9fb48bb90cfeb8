# vm: eadr
# shellcheck shell=sh
# A platform that flushes its caches on power failure: every store is persistent.
make_ext4_dax /mnt/pmem
start_daemon
fallocate -l 16M /mnt/pmem/log
request log '{"source":{"path":"/mnt/pmem/log"},"required_granularity":"byte"}'
document log 'granularity == "byte" and required_granularity == "byte" and map_sync is True' \
	'device["persistence_domain"] == region["persistence_domain"] == "cpu_cache"'
# this does not hold for files that are not on persistent memory
mkdir /mnt/plain
truncate -s 1M /mnt/plain/file
request plain '{"source":{"path":"/mnt/plain/file"}}'
document plain 'granularity == "page"' '"device" not in document'
alive
