# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What pmem2fs needs of Debian, in the one place where it is written down, and how to get it. Sourced
# by tools/quickstart and tools/check, in the top folder of the sources.

# shellcheck disable=SC2034 # used by those who source this
build_packages="gcc libc6-dev meson ninja-build pkgconf libfuse3-dev fuse3 libndctl-dev libdaxctl-dev
	libjansson-dev libcmocka-dev"
# shellcheck disable=SC2034
vm_packages="qemu-system-x86 busybox-static kmod ndctl daxctl e2fsprogs xfsprogs python3
	python3-jsonschema"
# shellcheck disable=SC2034
check_packages="clang-format clang elfutils groff-base libclang-rt-dev g++ libpmem2-dev lsof psmisc
	python3 python3-jsonschema
	btrfs-progs cpio ed git make mksh nano perl ripgrep rsync unzip vim-tiny xz-utils zip zsh"

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 \
		-o APT::Sandbox::User=root "$@"
}

# need_packages PACKAGE...: install those that are missing
need_packages() {
	missing=
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "$0: these packages are missing, and only root can install them:$missing" >&2
		return 1
	fi
	echo "Installing$missing"
	# shellcheck disable=SC2086 # the names are words
	apt update >/dev/null && apt install --no-install-recommends $missing >/dev/null
}

# need_kernel: one for tools/vm. Unpacked into the build folder: installing it would make this
# machine boot it, and takes longer.
need_kernel() {
	for modules in /lib/modules/*/kernel/fs/9p build/kernel/lib/modules/*/kernel/fs/9p; do
		version=${modules%/kernel/fs/9p}
		[ -e "${modules%/lib/modules/*}/boot/vmlinuz-${version##*/}" ] && return
	done
	echo "Unpacking a kernel into build/kernel"
	mkdir -p build/kernel.new && (
		cd build/kernel.new || exit
		package=$(apt-cache depends linux-image-amd64 |
			sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\)$/\1/p')
		if [ -z "$package" ]; then
			apt update >/dev/null
			package=$(apt-cache depends linux-image-amd64 |
				sed -n 's/^ *Depends: *\(linux-image-[0-9][^ ]*\)$/\1/p')
		fi
		apt download "$package" >/dev/null && dpkg -x linux-image-*.deb . || exit
		rm linux-image-*.deb
		for modules in lib/modules/*; do
			PATH=$PATH:/usr/sbin:/sbin depmod -b . "${modules##*/}" || exit
		done
	) && rm -rf build/kernel && mv build/kernel.new build/kernel
}
