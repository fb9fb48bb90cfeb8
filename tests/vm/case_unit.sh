# vm: dimms
# limit: 400
# shellcheck shell=sh
# The unit tests, on a kernel and a host with persistent memory. They need files without DAX.
count=0
for test in "$build"/tests/unit/lib/test_* "$build"/tests/unit/fs/test_*; do
	[ -f "$test" ] && [ -x "$test" ] || continue
	case $test in
	*/test_copy | */test_instructions) continue ;; # slow under emulation, and independent of devices
	esac
	echo "== ${test##*/}"
	status=0
	"$test" || status=$?
	[ $status -eq 0 ] || [ $status -eq 77 ] || die "${test##*/}: status $status"
	count=$((count + 1))
done
[ $count -gt 0 ] || die "no unit tests in $build/tests/unit"
