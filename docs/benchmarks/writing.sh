#!/usr/bin/env bash
# End-to-end figures of writing, as ratios in one run on one machine. From the top of a checkout, as root:
#   MAKEFS=.../makefs FSCK=.../fsck_hammer2 docs/benchmarks/writing.sh TREE WORKDIR
# MAKEFS and FSCK are the reference tools, built elsewhere; without them only our own times are printed.
# TREE is a directory of some GB; it and WORKDIR should be in a tmpfs with room for SIZE_GIB (default 8) more, else the disk
# below is what is measured.
set -euo pipefail
tree=$1 work=$2 runs=${RUNS:-3}
hammer2=artifacts/bench/hammer2
dotnet publish Hammer2.Cli -c Release -r linux-x64 --self-contained false -p:PublishReadyToRun=true -p:NuGetLockFilePath=obj/bench.lock.json -o artifacts/bench -v q --nologo >/dev/null
image="$work/written.img" times="$work/times"
bytes=$(du -sb --apparent-size "$tree" | cut -f1) files=$(find "$tree" | wc -l)
# The reference refuses to make an image much smaller than this for such a tree; both get the same.
size=${SIZE_GIB:-8}
echo "commit $(git rev-parse --short HEAD), $(nproc) cores, $(uname -r), tree of $files entries and $((bytes / 1000000)) MB, median of $runs"
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
# Seconds of the clock, seconds of all cores, KiB at the peak: the run with the median time of the clock.
measure() {
    for _ in $(seq "$runs"); do
        rm -f "$image"; sync
        /usr/bin/time -o "$times" -f '%e %U %S %M' "$@" >/dev/null 2>&1
        awk '{printf "%s %.2f %s\n", $1, $2 + $3, $4}' "$times"
    done | sort -n | awk -v n="$runs" 'NR == int((n + 1) / 2)'
}
line() { printf '%-28s %8.2f s  %8.2f s of processors  %8d KiB peak\n' "$1" $2; }
for method in lz4 none; do
    ours=$(measure "$hammer2" newfs "$image" --size "${size}G" --compression "$method" --from "$tree"); line "newfs --from, $method" "$ours"
    "$hammer2" fsck "$image" >/dev/null && echo "fsck: clean"
    if [ -n "${FSCK:-}" ]; then "$FSCK" "$image" >/dev/null 2>&1 && echo "reference fsck: clean"; fi
    if [ -n "${MAKEFS:-}" ]; then
        theirs=$(measure "$MAKEFS" -t hammer2 -o "c=$method" -s "${size}g" "$image" "$tree"); line "reference makefs, $method" "$theirs"
        echo "ratio $(echo "$theirs $ours" | awk '{printf "%.2f, of processors %.2f", $1 / $4, $2 / $5}')"
    fi
done
rm -f "$image"

# Through the mount: what programs see.
"$hammer2" newfs "$image" --size 4G >/dev/null
mkdir -p "$work/mnt"; "$hammer2" mount "$image" "$work/mnt" --background >/dev/null
trap '"$hammer2" umount "$work/mnt" || true' EXIT
now() { date +%s.%N; }
t=$(now); dd if=/dev/zero of="$work/mnt/zeros" bs=1M count=2000 conv=fsync status=none; echo "mount, 2 GB of zeros: $(echo "2097 / ($(now) - $t)" | bc) MB/s"
head -c 1000000000 /dev/urandom > "$work/random"
t=$(now); dd if="$work/random" of="$work/mnt/random" bs=1M conv=fsync status=none; echo "mount, 1 GB that does not compress: $(echo "1000 / ($(now) - $t)" | bc) MB/s"
rm -f "$work/random"
mkdir "$work/mnt/small"; t=$(now); for i in $(seq 5000); do echo "$i" > "$work/mnt/small/$i"; done; sync -f "$work/mnt"; echo "mount, small files made by a shell: $(echo "5000 / ($(now) - $t)" | bc) files/s"
t=$(now); for i in $(seq 200); do echo "$i" >> "$work/mnt/log"; sync "$work/mnt/log"; done; echo "mount, append and fsync: $(echo "200 / ($(now) - $t)" | bc) /s"
