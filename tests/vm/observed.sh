# shellcheck shell=sh
# Mappings of $source ($type, pages of $page bytes) are observed, also after mremap, fork and exec.
# Sourced by cases, with the daemon running.
# shellcheck disable=SC2154 # given by the cases
. "$here/observing.sh"
size=$((16 * page))

touch /tmp/mark
hold "$source" "$page" $size
file=$(file_of "$holder")
newer "$file" /tmp/mark || die "it is dated before it was there"
case $file in
"obedient.$holder.0x"*) ;;
*) die "an odd name: $file" ;;
esac
document "$file" \
	'origin == "observed" and state == "active"' \
	"length == $size and source['offset'] == $page" \
	"source['type'] == '$type' and source['path'] == '$source'" \
	'sharing == "shared" and protection == "rw-" and created is None' \
	"owner['pid'] == $holder and owner['comm'] == 'obedient' and owner['uid'] == 0" \
	'device["namespace"] == namespace["dev"] and device["region"] == region["dev"]' \
	"(granularity, map_sync) == (('cache_line', True) if '$type' == 'devdax' else (None, None))"
if message=$(rm -f "/pmem2fs/$file" 2>&1); then
	die "rm removed an observed mapping"
fi
case $message in
*"Operation not permitted"*) ;;
*) die "rm says: $message" ;;
esac
expect_held "$holder" $size

order munmap $((4 * page)) $((2 * page))
expect_held "$holder" $((14 * page))
order munmap $((8 * page)) $((8 * page))
expect_held "$holder" $((6 * page))
order munmap 0 $size
expect_held "$holder" 0
release

hold "$source" 0 $size
file_of "$holder" >/dev/null
touch /tmp/mark
order mprotect 0 $size
newer "$(file_of "$holder")" /tmp/mark || die "it has changed, and has the time of before"
document "$(file_of "$holder")" 'protection == "r--"'
release
expect_held "$holder" 0

hold "$source" 0 $size
file=$(file_of "$holder")
order fork
child=$answer
expect_held "$child" $size
expect_held "$holder" $size
kill -9 "$child"
[ -z "$(files_of "$child")" ] || die "the killed child still shows"
expect_held "$holder" $size
echo exec >&3
for _ in $(seq 100); do
	grep -q sleep "/proc/$holder/comm" && break
	sleep 0.05
done
[ -z "$(files_of "$holder")" ] || die "still shows after exec"
kill -9 "$holder"
exec 3>&-
wait "$holder" || :

# killed: gone at once, without the pause of files_of
hold "$source" 0 $size
[ -n "$(files_of "$holder")" ] || die "does not show"
kill -9 "$holder"
wait "$holder" 2>/dev/null || :
ls /pmem2fs >/tmp/names
grep -F ".$holder." /tmp/names && die "shows after kill -9"
exec 3>&-
