# vm: dimms
# limit: 600
# shellcheck shell=sh
# Each way to hold a disk or a node, and files that the kernel itself has open. pmem2ctl holders
# never returns 0 where an exclusive open or umount reports "busy".
ctl=$build/tools/pmem2ctl

# says STATUS WHAT [TEXT]
says() {
	status=0
	"$ctl" holders "$2" >/tmp/holders 2>&1 || status=$?
	if [ "$status" -ne "$1" ] || { [ $# -gt 2 ] && ! grep -q -e "$3" /tmp/holders; }; then
		cat /tmp/holders
		die "holders $2: status $status, not $1 with '${3-}'"
	fi
}

# exclusive DISK: prints "busy" or "free", by the kernel's answer to an exclusive open
exclusive() {
	/usr/bin/python3 -c '
import os, sys
try:
    os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
    print("free")
except OSError:
    print("busy")' "$1"
}

# start PROGRAM...: runs it in the background until stop; returns when it has printed a line
start() {
	rm -f /tmp/ready
	mkfifo /tmp/ready
	"$@" >/tmp/ready &
	started=$!
	read -r _ </tmp/ready || die "did not start: $*"
}

stop() {
	kill "$started"
	wait "$started" || :
}

# python PROGRAM FILE: starts a Python program, which waits at its end
python() {
	start /usr/bin/python3 -c "
import array, ctypes, mmap, os, socket, sys, time
path = sys.argv[1]
$1
print(flush=True)
time.sleep(1000)" "$2"
}

modprobe -C /dev/null loop || :
start_daemon
disk=$(make_fsdax "$(region_of 512)")
namespace=namespace$(region_of 512).0
says 0 "$namespace"

# mapped, shared and private, with the descriptor closed; open by another node
for flags in MAP_SHARED MAP_PRIVATE; do
	python "fd = os.open(path, os.O_RDWR); memory = mmap.mmap(fd, 4096, mmap.$flags)
os.close(fd)
[os.close(int(n)) for n in os.listdir('/proc/self/fd') if int(n) > 2 and
 os.path.exists('/proc/self/fd/' + n)]" "$disk"
	says 1 "$namespace" "^${disk#/dev/}: $disk is mapped by process $started"
	says 1 "$disk"
	stop
	says 0 "$namespace"
done
mknod /tmp/other b "$((0x$(stat -c %t "$disk")))" "$((0x$(stat -c %T "$disk")))"
python "kept = open(path, 'rb')" /tmp/other
says 1 "$disk" "/tmp/other is open in process $started"
stop
rm /tmp/other

# in exclusive use: by a program, and as the journal of a file system on another disk
python "kept = os.open(path, os.O_RDONLY | os.O_EXCL)" "$disk"
[ "$(exclusive "$disk")" = busy ] || die "not busy"
says 1 "$namespace" 'is open in'
stop
if truncate -s 64M /tmp/image && loop=$(losetup -f --show /tmp/image); then
	mke2fs -q -F -b 4096 -O journal_dev "$disk"
	mkfs.ext4 -q -F -b 4096 -J device="$disk" "$loop"
	mkdir -p /mnt/other
	mount -t ext4 "$loop" /mnt/other
	[ "$(exclusive "$disk")" = busy ] || die "the journal is not busy"
	says 1 "$namespace" 'in exclusive use'
	umount /mnt/other
	losetup -d "$loop"
	rm /tmp/image
	says 0 "$namespace"
fi

# a loop device on the disk, which does not make an exclusive open fail
if loop=$(losetup -f --show "$disk"); then
	says 1 "$namespace" "^${disk#/dev/}: $disk is behind ${loop#/dev/}"
	losetup -d "$loop"
	says 0 "$namespace"
fi

# files of a file system that the kernel has open
features=^quota
modprobe -C /dev/null quota_v2 && features=quota
mkfs.ext4 -q -F -b 4096 -O "$features" "$disk"
mkdir -p /mnt/pmem
mount -t ext4 "$disk" /mnt/pmem
dd if=/dev/zero of=/mnt/pmem/swap bs=1M count=8 status=none
says 0 /mnt/pmem
says 0 /mnt/pmem/swap
# files of quotas are immutable in file systems without the quota feature
chattr +i /mnt/pmem/swap
says 2 /mnt/pmem/swap 'it is immutable'
chattr -i /mnt/pmem/swap
mkswap /mnt/pmem/swap >/dev/null
if swapon /mnt/pmem/swap; then
	expect_failure umount /mnt/pmem
	says 1 /mnt/pmem 'swap space /mnt/pmem/swap'
	says 1 /mnt/pmem/swap
	swapoff /mnt/pmem/swap
	says 0 /mnt/pmem
fi
if modprobe -C /dev/null binfmt_misc && mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; then
	cp /bin/true /mnt/pmem/interpreter
	echo ':holders:M::holders::/mnt/pmem/interpreter:F' >/proc/sys/fs/binfmt_misc/register
	expect_failure umount /mnt/pmem
	says 1 /mnt/pmem 'interpreter is open in the kernel (binfmt_misc)'
	says 1 /mnt/pmem/interpreter
	says 0 /mnt/pmem/swap
	echo -1 >/proc/sys/fs/binfmt_misc/holders
	says 0 /mnt/pmem
	umount /proc/sys/fs/binfmt_misc
fi
mkdir -p /tmp/tracefs
if mount -t tracefs none /tmp/tracefs; then
	if echo 'p:holders/probe /mnt/pmem/swap:0x0' >/tmp/tracefs/uprobe_events; then
		expect_failure umount /mnt/pmem
		says 1 /mnt/pmem 'swap is open in the kernel (uprobe)'
		says 1 /mnt/pmem/swap
		: >/tmp/tracefs/uprobe_events
		says 0 /mnt/pmem
	fi
	umount /tmp/tracefs
fi
if modprobe -C /dev/null nfsd && mount -t nfsd nfsd /proc/fs/nfsd; then
	says 0 /mnt/pmem
	echo 'nfsd 127.0.0.1 2147483647 test' >/proc/net/rpc/auth.unix.ip/channel
	echo 'test /mnt/pmem 2147483647 1 0 0 7' >/proc/net/rpc/nfsd.export/channel
	expect_failure umount /mnt/pmem
	says 1 /mnt/pmem 'open in the kernel (NFS server)'
	says 2 /mnt/pmem/swap 'may be open in the NFS server'
	echo 1 >/proc/net/rpc/nfsd.export/flush
	echo 1 >/proc/net/rpc/auth.unix.ip/flush
	umount /proc/fs/nfsd
	says 2 /mnt/pmem 'what the NFS server exports cannot be seen'
	mount -t nfsd nfsd /proc/fs/nfsd
	wait_for "$ctl" holders -q /mnt/pmem
fi
# an accounting file holds nothing: umount ends it
/usr/bin/python3 -c 'import ctypes; assert ctypes.CDLL(None).acct(b"/mnt/pmem/swap") == 0'
says 0 /mnt/pmem
umount /mnt/pmem
/usr/bin/python3 -c 'import ctypes; ctypes.CDLL(None).acct(None)'
says 0 "$namespace"

# unmounted lazily while a file is open: no mount is left
mount -t ext4 "$disk" /mnt/pmem
python "kept = open(path, 'rb')" /mnt/pmem/swap
umount -l /mnt/pmem
[ "$(exclusive "$disk")" = busy ] || die "not busy"
says 1 "$namespace" 'in exclusive use'
stop
wait_for "$ctl" holders -q "$namespace"
ndctl disable-namespace "$namespace"

# a node: ndctl never reports "busy"
node=$(make_devdax "$(region_of 448)")
namespace=namespace$(region_of 448).0
says 0 "$namespace"
for how in flight thread pass exec chain chain-open; do
	start "$build/tests/vm/holder" $how "$node" 4194304
	for _ in 1 2 3 4; do
		status=0
		"$ctl" holders -q "$namespace" || status=$?
		[ "$status" -ne 0 ] || die "$how: nobody"
	done
	kill -- "-$started"
	wait "$started" || :
	wait_for "$ctl" holders -q "$namespace"
done
alive
