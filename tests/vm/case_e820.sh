# vm: no-dimms
# shellcheck shell=sh
# Persistent memory without DIMMs: facts that only DIMMs have are missing, and not 0.
make_ext4_dax /mnt/pmem "$(device_of e820)"
start_daemon
fallocate -l 16M /mnt/pmem/log
request log '{"source":{"path":"/mnt/pmem/log"}}'
document log 'granularity == "cache_line" and map_sync is True' \
	'device["unsafe_shutdowns"] is None' \
	'device["namespace"] == namespace["dev"] and device["region"] == region["dev"]'
alive
