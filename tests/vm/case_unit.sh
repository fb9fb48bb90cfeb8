# vm: dimm
# limit: 800
# shellcheck shell=sh
# The unit tests, on a kernel and a host with persistent memory. They need files without DAX.
count=0
for test in "$build"/tests/unit/lib/test_* "$build"/tests/unit/fs/test_*; do
	[ -f "$test" ] && [ -x "$test" ] || continue
	case $test in
	# these are slow under emulation, and depend neither on devices nor on the kernel
	*/test_copy | */test_instructions | */test_guarded_copy) continue ;;
	*/test_threads | */test_reservation_threads | */test_reservation_failures) continue ;;
	esac
	echo "== ${test##*/}"
	status=0
	began=$(date +%s)
	"$test" || status=$?
	echo "== $(($(date +%s) - began)) s"
	[ $status -eq 0 ] || [ $status -eq 77 ] || die "${test##*/}: status $status"
	count=$((count + 1))
done
[ $count -gt 0 ] || die "no unit tests in $build/tests/unit"
