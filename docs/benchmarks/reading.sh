#!/usr/bin/env bash
# End-to-end figures of reading, as ratios in one run on one machine. From the top of a checkout, as root:
#   FSCK=.../fsck_hammer2 MAKEFS=.../makefs docs/benchmarks/reading.sh IMAGE WORKDIR
# FSCK and MAKEFS are the reference tools, built elsewhere; without them only our own times are printed.
# The image should be a plain LZ4 volume of some GB that fits the page cache; WORKDIR a tmpfs with room for its contents,
# else the disk below is what is measured.
set -euo pipefail
image=$1 work=$2 runs=${RUNS:-5}
hammer2=artifacts/bench/hammer2
dotnet publish Hammer2.Cli -c Release -r linux-x64 --self-contained false -p:PublishReadyToRun=true -o artifacts/bench -v q --nologo >/dev/null
now() { date +%s.%N; }
seconds() { local t=$(now); "$@" >/dev/null 2>&1; echo "$(now) - $t" | bc; }
median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
warm() { cat "$image" >/dev/null; }
line() { printf '%-44s %8.2f s\n' "$1" "$2"; }

echo "commit $(git rev-parse --short HEAD), $(nproc) cores, $(uname -r), image $(stat -c %s "$image") bytes ($(du -m "$image" | cut -f1) MB stored), median of $runs"
warm
verify=$(for _ in $(seq "$runs"); do seconds "$hammer2" verify "$image"; done | median); line "verify" "$verify"
if [ -n "${FSCK:-}" ]; then
    fsck=$(for _ in $(seq "$runs"); do seconds "$FSCK" "$image"; done | median); line "reference fsck" "$fsck"
    echo "ratio $(echo "scale=2; $fsck / $verify" | bc)"
fi
echo "verify peak memory: $( { /usr/bin/time -f %M "$hammer2" verify "$image" >/dev/null; } 2>&1 | tail -1) KiB"

get() { rm -rf "$work/get"; mkdir "$work/get"; sync; seconds "$hammer2" get "$image" / "$work/get"; }
extract() { rm -rf "$work/ref"; mkdir "$work/ref"; sync; seconds "$MAKEFS" -t hammer2 -o R=/ "$image" "$work/ref"; }
got=$(for _ in 1 2 3; do get; done | median); line "get of everything" "$got"
if [ -n "${MAKEFS:-}" ]; then
    ref=$(for _ in 1 2 3; do extract; done | median); line "reference extraction" "$ref"
    echo "ratio $(echo "scale=2; $ref / $got" | bc)"
    diff -rq --no-dereference "$work/get" "$work/ref" | grep -v '^Only in' | head -5 || true
fi
rm -rf "$work/get" "$work/ref"

mnt="$work/mnt"; mkdir -p "$mnt"
reader() { # mode, n: n readers over the large files, the n-th part each
    local mode=$1 n=$2 k t=$(now)
    for k in $(seq "$n"); do
        awk -v n="$n" -v k="$k" 'NR%n==k-1' "$work/files" | if [ "$mode" = cached ]; then tr '\n' '\0' | xargs -0 cat >/dev/null
        else while read -r f; do dd if="$f" of=/dev/null bs=1M iflag=direct status=none; done; fi &
    done
    wait
    echo "$bytes / 1000000 / ($(now) - $t)" | bc
}
# "cached": through the kernel's page cache, with its own read-ahead. "direct": one request at a time per reader,
# so that two readers show whether anything but the processors limits the mount.
for mode in cached direct; do
    for n in 1 2; do
        rate=$(for _ in $(seq "$runs"); do
            "$hammer2" mount "$image" "$mnt" --background $([ $mode = direct ] && echo --read-ahead 0) >/dev/null
            find "$mnt" -type f -size +2M | sort > "$work/files"
            bytes=$(tr '\n' '\0' < "$work/files" | xargs -0 stat -c %s | awk '{s+=$1} END {printf "%.0f", s}')
            warm
            reader "$mode" "$n"
            "$hammer2" umount "$mnt"
        done | median)
        echo "mount, $mode, $n reader(s): $rate MB/s"
    done
done
rm -f "$work/files"; rmdir "$mnt"
