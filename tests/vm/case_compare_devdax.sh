# vm: dimm
# limit: 600
# shellcheck shell=sh
# This library and Debian's libpmem2 side by side (tests/compare) on a device-DAX node.
exec "$build/tests/compare/compare" "$build/lib/libpmem2fs.so" libpmem2.so.1 \
	--devdax "$(make_devdax "$(region_of 448)")"
