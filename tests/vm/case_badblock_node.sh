# vm: dimms
# shellcheck shell=sh
# Bad blocks of a device-DAX node that begins somewhere in its region: found, read and written around,
# by tests/vm/test_badblock.c; and the node goes away while it is read.
make_labels
region=region$(region_of 384)
ndctl create-namespace -r "$region" -m raw -s 48M >/dev/null
# as ndctl prints it, and larger than what is mapped at a time
ndctl create-namespace -r "$region" -m devdax -M mem -s 128M >/tmp/namespace.json
node=$(sed -n 's/.*"chardev":"\([^"]*\)".*/\1/p' /tmp/namespace.json)
namespace=$(sed -n '0,/"dev"/s/.*"dev":"\([^"]*\)".*/\1/p' /tmp/namespace.json)
export PMEM2FS_TEST_DEVDAX="/dev/$node"
PMEM2FS_TEST_DEVDAX_BAD='' "$build/tests/vm/test_badblock"
PMEM2FS_TEST_DISABLE="ndctl disable-namespace $namespace" "$build/tests/vm/test_badblock"
ndctl enable-namespace "$namespace"

# An uncorrected memory error puts its place into the list of the region. The processor's kind decides
# whether the kernel believes one that is not real.
modprobe -C /dev/null mce-inject
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
start=$((0x$(sed -n "s/^ *\([0-9a-f]*\)-[0-9a-f]* : $node\$/\1/p" /proc/iomem)))
cd /sys/kernel/debug/mce-inject
# the last one is before the node
for offset in 1048576 1049600 -4096; do
	echo sw >flags
	echo 0 >cpu
	printf 0xac00000000080080 >status
	printf 0x86 >misc
	printf 0x%x $((start + offset)) >addr
	echo 4 >bank
	sleep 1
done
cd /
PMEM2FS_TEST_DEVDAX_BAD="1048576 512 1049600 512" "$build/tests/vm/test_badblock"
