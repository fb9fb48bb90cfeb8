# vm: dimms
# limit: 800
# shellcheck shell=sh
# pmem2ctl holders protects what is in use from ndctl: device DAX mapped by a program without the
# library, by a program that releases its mapping on request, and through the mount; a file system, a
# device mapper, swap, a btt.
ctl=$build/tools/pmem2ctl

# held STATUS WHAT [TEXT...]: the exit status for WHAT, and the text
held() {
	expected=$1
	what=$2
	shift 2
	status=0
	"$ctl" holders "$what" >/tmp/holders 2>&1 || status=$?
	[ "$status" -eq "$expected" ] || {
		cat /tmp/holders
		die "holders $what: status $status, not $expected"
	}
	for text; do
		grep -q -e "$text" /tmp/holders || {
			cat /tmp/holders
			die "holders $what does not say: $text"
		}
	done
}

# hold HOW FILE SIZE: starts holder; its pid is then in $holder
hold() {
	rm -f /tmp/ready
	mkfifo /tmp/ready
	"$build/tests/vm/holder" "$@" >/tmp/ready &
	holder=$!
	read -r _ </tmp/ready || die "the holder did not start"
}

# let_go: ends it; it must still be there, not have died of SIGBUS
let_go() {
	kill "$holder" || die "the holder is gone"
	status=0
	wait "$holder" || status=$?
	[ "$status" -eq 143 ] || die "the holder ended with $status"
}

node=$(make_devdax "$(region_of 448)")
name=${node#/dev/}
namespace=namespace$(region_of 448).0
region=region$(region_of 448)
start_daemon
for what in "$name" "$node" "$namespace" "$region"; do
	held 0 "$what" 'nobody holds it'
done
held 2 dax77.0 'no such'
held 2 /dev/null

# a program without the library
hold plain "$node" 4194304
for what in "$name" "$node" "$namespace" "$region"; do
	held 1 "$what" "^ *$holder .*/holder .* 4194304 *observed *holder\.$holder\."
done
"$ctl" holders -q "$namespace" && die "ndctl would kill the holder"
entry=$(ls /pmem2fs)
expect_failure rm "/pmem2fs/$entry"
let_go
held 0 "$namespace"

# only opened
hold open "$node" 0
held 1 "$name" "$name: $node is open in process $holder (holder)"
let_go

# two of them
hold plain "$node" 4194304
first=$holder
hold plain "$node" 2097152
"$ctl" list --overlaps >/tmp/overlaps
[ "$(wc -l </tmp/overlaps)" -eq 3 ] || die "overlaps: $(cat /tmp/overlaps)"
let_go
holder=$first
let_go

# through the file system: the daemon holds it
request a "{\"source\":{\"path\":\"$node\"}}"
held 1 "$namespace" "^ *$keeper .* pmem2fs *a$" 'held by the daemon itself'
rm /pmem2fs/a
held 0 "$namespace"

# published, and released: no process dies when the namespace goes
hold published "$node" 4194304
held 1 "$name" "^ *$holder .* published *holder\.$holder\.data$"
rm "/pmem2fs/holder.$holder.data"
for what in "$name" "$namespace" "$region"; do
	held 0 "$what"
done
"$ctl" holders -q "$namespace" && ndctl disable-namespace "$namespace"
held 0 "$namespace" # without a node now
sleep 0.2
let_go
alive

# a file system on a part of the disk's region, and a file of it that is mapped
region=region$(region_of 512)
disk=$(make_fsdax "$(region_of 512)")
namespace=namespace$(region_of 512).0
held 0 "$disk"
make_ext4_dax /mnt/pmem "$disk"
held 1 "$namespace" "^${disk#/dev/}: ext4, mounted on /mnt/pmem$"
held 1 "${disk#/dev/}" 'ext4, mounted'
held 1 "$region" 'ext4, mounted'
held 0 /mnt/pmem
fallocate -l 4M /mnt/pmem/log
held 0 /mnt/pmem/log
hold plain /mnt/pmem/log 4194304
held 1 /mnt/pmem/log "^ *$holder .* observed "
held 1 /mnt/pmem "^ *$holder .* observed "
held 1 "$namespace" "^ *$holder .* observed " 'ext4, mounted'
rm /mnt/pmem/log
held 1 /mnt/pmem "^ *$holder .* observed "
let_go
held 0 /mnt/pmem
# in another mount namespace only
unshare -m sh -c 'echo ready; exec sleep 100' >/tmp/ready &
other=$!
read -r _ </tmp/ready
umount /mnt/pmem
held 1 "$namespace" 'mounted on /mnt/pmem in the mount namespace of process'
kill "$other"
wait "$other" || :
held 0 "$namespace"

# swap
mkswap "$disk" >/dev/null
if swapon "$disk"; then
	held 1 "$namespace" "swap space $disk"
	swapoff "$disk"
fi
if modprobe -C /dev/null dm-mod && command -v dmsetup >/dev/null; then
	dmsetup --noudevsync create over_pmem --table "0 204800 linear $disk 2048"
	held 1 "$namespace" "^${disk#/dev/}: below dm-0 (over_pmem)$"
	dmsetup --noudevsync remove over_pmem
	held 0 "$namespace"
fi

# a btt is a part of the namespace, and its disk can be in use
ndctl create-namespace -f -m sector -e "$namespace" >/dev/null
disk=/dev/$(cd "/sys/bus/nd/devices/$region" && find . -path '*/block/pmem*s' -name 'pmem*s' -printf '%f\n' |
	head -n 1)
held 0 "$namespace"
mkfs.ext4 -q -F "$disk"
mount "$disk" /mnt/pmem
held 1 "$namespace" "^${disk#/dev/} (btt.*): ext4, mounted on /mnt/pmem$"
umount /mnt/pmem
"$ctl" holders -q "$namespace" && ndctl destroy-namespace -f "$namespace"
alive
