# vm: dimm
# last: Linux 6.1 does not recover from all of it: a write to tmpfs may hang afterwards
# shellcheck shell=sh
# A device-DAX node that is taken away or disabled below mappings of the daemon and of programs: there
# are events, the documents say "lost", lost mappings can be unmapped, and no process dies. A disabled
# node is not enabled again while it is mapped: Linux 6.1 corrupts a list of its own then.
node=$(make_devdax "$(region_of 448)")
start_daemon
worker=$(cat "/proc/$keeper/task/$keeper/children")
request ours "{\"source\":{\"path\":\"$node\"}}"
namespace=$(value ours 'device["namespace"]')
for kind in library plain; do
	mkfifo /tmp/$kind
	# shellcheck disable=SC2046 # no word at all
	"$build/tests/vm/mapper" $([ $kind = library ] || echo --plain) "$node" </tmp/$kind >/tmp/$kind.out &
	eval "$kind=\$!"
done
exec 3>/tmp/library 4>/tmp/plain
wait_for grep -q done /tmp/library.out
wait_for grep -q done /tmp/plain.out
# shellcheck disable=SC2154 # set by eval
{
	theirs=$(mapping_of "$library")
	other=$(mapping_of "$plain")
}
# said PROGRAM NUMBER: the answer to its line NUMBER, the first of which is that it has mapped
said() {
	wait_for sh -c "[ \$(wc -l </tmp/$1.out) -ge $2 ]"
	sed -n "$2p" "/tmp/$1.out"
}

# is STATE NAME...: without the cost of reading it as JSON
is() {
	state=$1
	shift
	for name; do
		grep -q "\"state\": \"$state\"" "/pmem2fs/$name" || die "not $state: $(cat "/pmem2fs/$name")"
	done
}

# shows_lost NAME: after the event the kernel may know the document of before for a second
shows_lost() {
	wait_for grep -q '"state": "lost"' "/pmem2fs/$1"
}

is active ours "$theirs" "$other"
grep -q '"origin": "published"' "/pmem2fs/$theirs" || die "not published"
grep -q '"origin": "observed"' "/pmem2fs/$other" || die "not observed"
follow_events
ndctl disable-namespace "$namespace"
for name in ours "$theirs" "$other"; do
	wait_for event "$name" 'state == "lost" and badblocks is None'
	shows_lost "$name"
done
for name in ours "$other"; do
	document "$name" 'state == "lost" and source["deleted"] is True and source["size"] is None' \
		'device["namespace"]' 'device["badblock_count"] is None and device["badblocks"] is None'
done
echo again >&3
case $(said library 2) in
*"disabled"*) ;;
*) die "mapped what is lost: $(cat /tmp/library.out)" ;;
esac
echo unmap >&3
[ "$(said library 3)" = done ] || die "cannot unmap what is lost: $(cat /tmp/library.out)"
wait_for [ ! -e "/pmem2fs/$theirs" ]
rm /pmem2fs/ours
[ "$(mapped)" -eq 0 ] || die "still mapped"

# a new node of the same name does not restore lost mappings
ndctl enable-namespace "$namespace"
request newer "{\"source\":{\"path\":\"$node\"}}"
sleep 1.1
is active newer
is lost "$other"

# disabled, and still in its place
daxctl disable-device "$(basename "$node")"
wait_for event newer 'state == "lost"'
shows_lost newer
document newer 'state == "lost" and source["path"] and device["namespace"]'
refused "No such device" again "{\"source\":{\"path\":\"$node\"}}"
rm /pmem2fs/newer
echo exit >&3
echo exit >&4
# shellcheck disable=SC2154
wait "$library" "$plain"
wait_for [ ! -e "/pmem2fs/$other" ]
daxctl enable-device "$(basename "$node")"
request newer "{\"source\":{\"path\":\"$node\"}}"
is active newer
rm /pmem2fs/newer
alive
[ "$(cat "/proc/$keeper/task/$keeper/children")" = "$worker" ] || die "the worker is another"
