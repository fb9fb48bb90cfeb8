# vm: dimm
# limit: 900
# shellcheck shell=sh
# ndctl destroy-namespace, guarded by pmem2ctl holders, again and again while processes hold the node
# in every way, or nobody does: it is destroyed only when nobody holds it. Each way comes twice;
# HOLDERS_ROUNDS=200 in the environment of run-guest makes more rounds.
ctl=$build/tools/pmem2ctl
rounds=${HOLDERS_ROUNDS-22}

# way NUMBER: how the node is held in that round
way() {
	set -- $(($1 % 11)) plain chain open pass exec chain-open nobody published thread flight pass
	shift $(($1 + 1))
	echo "$1"
}

# guarded: destroys the namespace if pmem2ctl says that nobody holds it
guarded() {
	"$ctl" holders -q "$namespace" 2>/dev/null && ndctl destroy-namespace -f "$namespace" >/dev/null
}

number=$(region_of 448)
namespace=namespace$number.0
node=$(make_devdax "$number")
start_daemon
destroyed=0
for round in $(seq "$rounds"); do
	how=$(way "$round")
	if [ "$how" = nobody ]; then
		wait_for guarded
		[ ! -e "$node" ] || die "$node is still there"
		destroyed=$((destroyed + 1))
		[ "$(make_devdax "$number")" = "$node" ] || die "not $node again"
		continue
	fi
	rm -f /tmp/ready
	mkfifo /tmp/ready
	"$build/tests/vm/holder" "$how" "$node" 4194304 >/tmp/ready &
	holder=$!
	read -r _ </tmp/ready || die "did not start: $how"
	if "$ctl" holders -q "$namespace" 2>/dev/null; then
		die "nobody, it said: $how (round $round)"
	fi
	guarded && die "destroyed under: $how (round $round)"
	kill -- "-$holder" || die "the holder is gone: $how (round $round)"
	wait "$holder" || :
done
echo "# $rounds rounds, $destroyed times destroyed, never under a process"
[ "$destroyed" -gt 0 ] || die "never destroyed"
alive
