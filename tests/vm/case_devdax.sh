# vm: dimms
# shellcheck shell=sh
# A device-DAX node: mapped, saved, removed and restored; what it does not support is refused; and
# once it is removed, taking the namespace away affects no process.
node=$(make_devdax "$(region_of 448)")
start_daemon
request a "{\"source\":{\"path\":\"$node\"},\"required_granularity\":\"cache_line\"}"

document a \
	'granularity == "cache_line" and sharing == "shared" and state == "active"' \
	'source["type"] == "devdax" and source["path"] == "/dev/" + device["chardev"]' \
	'source["align"] == namespace["align"] == 2 << 20' \
	'length == source["size"] == namespace["size"]' \
	'device["mode"] == "devdax" and device["namespace"] == namespace["dev"]' \
	'device["uuid"] == namespace["uuid"]' \
	'device["region"] == region["dev"] and region["size"] == 448 << 20' \
	'device["numa_node"] == region["numa_node"]' \
	'device["target_node"] == region["target_node"] == 1' \
	'device["persistence_domain"] == region["persistence_domain"] == "memory_controller"'
address=$(value a address)
flags=$(area "$address")
[ -n "$flags" ] || die "nothing is mapped at $address"
synchronous=False
case "$flags " in *" sf "*) synchronous=True ;; esac
document a "map_sync is $synchronous"

source="\"source\":{\"path\":\"$node\"}"
refused "Invalid argument" private "{$source,\"sharing\":\"private\"}"
refused "Invalid argument" length "{$source,\"length\":4096}"
refused "Invalid argument" offset "{\"source\":{\"path\":\"$node\",\"offset\":4096}}"
request part "{\"source\":{\"path\":\"$node\",\"offset\":2097152},\"length\":4194304}"
document part 'length == 4 << 20 and source["offset"] == 2 << 20'
rm /pmem2fs/part

namespace=$(value a 'device["namespace"]')
cat /pmem2fs/a >/tmp/saved
rm /pmem2fs/a
[ -z "$(area "$address")" ] || die "the area is still there"
cp /tmp/saved /pmem2fs/a
document a 'length == source["size"] and granularity == "cache_line"'
rm /pmem2fs/a

ndctl disable-namespace "$namespace"
alive
