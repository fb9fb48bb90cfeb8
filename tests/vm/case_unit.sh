# vm: dimm
# limit: 800
# shellcheck shell=sh
# The unit tests whose subjects ask for devices, or for what kernels do differently, on the kernel and
# with the persistent memory of this machine. All others run outside only: under emulation a test takes
# many times as long.
set -- \
	lib/announce lib/badblock lib/badblock_clear lib/daemon_socket lib/deep_flush lib/device \
	lib/flush lib/granularity lib/map lib/mcsafe lib/placement lib/release_process lib/reservation \
	lib/seccomp_probe lib/source lib/source_device lib/unmap lib/unmap_pieces lib/unmap_range \
	lib/unmap_reuse \
	fs/capacity fs/commands fs/dax fs/device_monitor fs/disposal fs/facts_cache fs/facts_shapes \
	fs/folder_lock fs/identity fs/keeper_link fs/lifeline fs/mapped_files fs/mapping_facts \
	fs/mountpoint fs/old_mount fs/opener fs/pidfd fs/proc_maps fs/receivers fs/release_peers \
	fs/rights fs/scanner fs/server_libraries fs/source_path fs/source_path_elsewhere fs/worker_process
for name; do
	echo "== $name"
	status=0
	began=$(date +%s)
	"$build/tests/unit/${name%/*}/test_${name#*/}" || status=$?
	echo "== $(($(date +%s) - began)) s"
	[ $status -eq 0 ] || [ $status -eq 77 ] || die "$name: status $status"
done
