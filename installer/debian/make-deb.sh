#!/usr/bin/env bash
# Makes the .deb from a published program: make-deb.sh PUBLISHED WORK VERSION RUNTIME OUTPUT-FOLDER (called by Pack.proj).
# DEB_COMPRESSION is xz unless set. Reproducible: times are those of the last commit (or SOURCE_DATE_EPOCH), owners are root, modes are set here.
set -euo pipefail
published=$1 work=$2 version=$3 runtime=$4 output=$5
here=$(cd "$(dirname "$0")" && pwd)
case $runtime in
    linux-x64) architecture=amd64 ;;
    linux-arm64) architecture=arm64 ;;
    *) echo "no Debian architecture for $runtime" >&2; exit 1 ;;
esac
: "${SOURCE_DATE_EPOCH:=$(git -C "$here" log -1 --format=%ct 2>/dev/null || echo 1767225600)}"
export SOURCE_DATE_EPOCH
umask 022
rm -rf "$work"
mkdir -p "$work/DEBIAN" "$work/usr/bin" "$work/usr/lib/hammer2" "$work/usr/lib/systemd/system" \
    "$work/usr/share/man/man1" "$work/usr/share/bash-completion/completions" "$work/usr/share/doc/hammer2"

cp -r "$published/." "$work/usr/lib/hammer2/"
ln -s ../lib/hammer2/hammer2 "$work/usr/bin/hammer2"
cp "$here/hammer2.service" "$work/usr/lib/systemd/system/"
cp "$here/../../LICENSE" "$work/usr/share/doc/hammer2/copyright"
cp "$here/../../README.md" "$work/usr/share/doc/hammer2/"
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
awk -v version="$version" -v date="$date" -f "$here/man.awk" "$here/../../docs/cli.md" | gzip -9n > "$work/usr/share/man/man1/hammer2.1.gz"
# The script comes from the program itself. A program for another processor cannot be asked; its package goes without.
if script=$("$work/usr/lib/hammer2/hammer2" completion bash 2>/dev/null); then
    printf '%s\n' "$script" > "$work/usr/share/bash-completion/completions/hammer2"
fi

find "$work" -type d -exec chmod 755 {} +
find "$work" -type f -exec chmod 644 {} +
chmod 755 "$work/usr/lib/hammer2/hammer2"
[ ! -e "$work/usr/lib/hammer2/createdump" ] || chmod 755 "$work/usr/lib/hammer2/createdump"
size=$(find "$work/usr" -type f -printf '%s\n' | awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }')
cat > "$work/DEBIAN/control" <<CONTROL
Package: hammer2
Version: $version
Architecture: $architecture
Maintainer: The Hammer2 for Windows authors <hammer2@example.invalid>
Installed-Size: $size
Depends: fuse3, libc6, libgcc-s1, libstdc++6
Section: admin
Priority: optional
Description: reads, writes, checks and mounts HAMMER2 volumes
 HAMMER2 is the file system of DragonFly BSD. This package has the hammer2
 command, which mounts its volumes through FUSE, copies from and to them,
 makes and checks them. It brings the .NET runtime that it needs.
CONTROL
(cd "$work" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum > DEBIAN/md5sums)
chmod 644 "$work/DEBIAN/control" "$work/DEBIAN/md5sums"
find "$work" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" -z6 --build "$work" "${output%/}/hammer2_${version}_${architecture}.deb"
