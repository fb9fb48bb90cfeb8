# vm: dimms
# shellcheck shell=sh
# Bad blocks are shown where they are in the mapping, and not shown where they are outside of it. On
# the second namespace of a region, so that the region's, the device's and the file's offsets differ.
make_labels
region=region$(region_of 384)
ndctl create-namespace -r "$region" -m fsdax -M mem -s 96M >/dev/null
device=/dev/$(ndctl create-namespace -r "$region" -m fsdax -M mem -s 192M |
	sed -n 's/.*"blockdev":"\([^"]*\)".*/\1/p')
make_ext4_dax /mnt/pmem "$device"
start_daemon
fallocate -l 4M /mnt/pmem/log
# sector of the device where byte $1 of the file is
sector() {
	filefrag -b512 -v /mnt/pmem/log | tr -d .: | awk -v wanted=$(($1 / 512)) '
		$1 ~ /^[0-9]+$/ && $2 <= wanted && wanted <= $3 { print $4 + wanted - $2; exit }'
}

request log '{"source":{"path":"/mnt/pmem/log","offset":1048576},"length":1048576}'
document log 'device["badblock_count"] == 0 and device["badblocks"] == []' \
	'device["namespace"] == namespace["dev"] and device["region"] == region["dev"]'
follow_events
echo "$(sector 0) 8" >"/sys/block/${device#/dev/}/badblocks"
echo "$(sector 1056768) 8" >"/sys/block/${device#/dev/}/badblocks"
echo "$(sector 2097152) 1" >"/sys/block/${device#/dev/}/badblocks"
wait_for event log 'state == "active" and badblocks == [{"offset": 8192, "length": 4096}]'
sleep 1.1
document log 'device["badblock_count"] == 3' \
	'device["badblocks"] == [{"offset": 8192, "length": 4096}]'
# a bad block that reaches over the end of the mapping is shown up to the end
echo "$(sector 2096640) 2" >"/sys/block/${device#/dev/}/badblocks"
sleep 1.1
document log 'device["badblocks"][1:] == [{"offset": 1044480, "length": 4096}]'
rm /pmem2fs/log
request log '{"source":{"path":"/mnt/pmem/log","offset":3145728}}'
document log 'device["badblocks"] == []'
alive
