# shellcheck shell=sh
# Mapping, reading the document and removing on /mnt/pmem, a file system with DAX. Sourced by cases.
start_daemon
fallocate -l 64M /mnt/pmem/log
request log '{"source":{"path":"/mnt/pmem/log"},"required_granularity":"cache_line"}'

document log \
	'name == "log" and state == "active" and origin == "pmem2fs"' \
	'granularity == "cache_line" and required_granularity == "cache_line"' \
	'map_sync is True and sharing == "shared" and protection == "rw-"' \
	'length == 64 << 20 and source["offset"] == 0 and source["size"] == 64 << 20' \
	'source["type"] == "fsdax" and source["path"] == "/mnt/pmem/log"' \
	'owner["uid"] == 0' \
	'device["blockdev"] == namespace["blockdev"] and device["mode"] == "fsdax"' \
	'device["namespace"] == namespace["dev"]' \
	'device["uuid"] == namespace["uuid"]' \
	'device["region"] == region["dev"] and region["size"] == 512 << 20' \
	'device["numa_node"] == region["numa_node"]' \
	'device["target_node"] == region["target_node"]' \
	'device["persistence_domain"] == region["persistence_domain"] == "memory_controller"' \
	'device["badblock_count"] == 0 and device["badblocks"] == []'
[ "$(value log 'owner["pid"]')" -eq "$keeper" ] || die "another process holds the mapping"
address=$(value log address)
case "$(area "$address") " in
*" sf "*) ;;
*) die "the area at $address is not MAP_SYNC: $(area "$address")" ;;
esac

expect_failure umount /mnt/pmem
rm /pmem2fs/log
[ ! -e /pmem2fs/log ] || die "the file is still there"
[ -z "$(area "$address")" ] || die "the area is still there"
umount /mnt/pmem
alive
