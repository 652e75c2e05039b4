#!/usr/bin/env bash
# digest_tree against `xargs -P$(nproc) -n64 sha256sum`, warm page cache, in the order A B B A.
# usage: digest_tree.sh PATH_OF_DIGEST_TREE [DIR] [ROUNDS]
set -eu

binary=${1:?usage: $0 PATH_OF_DIGEST_TREE [DIR] [ROUNDS]}
dir=${2:-/usr/share/doc}
rounds=${3:-10}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ours() { "$binary" "$dir" >/dev/null; }
theirs() { find "$dir" -type f -print0 | xargs -0 -P"$(nproc)" -n64 sha256sum >/dev/null; }
# What a script has to write to get the same output; sort and one process at a time make it slower still.
same_output() { find "$dir" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >/dev/null; }

timed() {
  local name=$1 begin end
  begin=$(date +%s%N)
  "$name"
  end=$(date +%s%N)
  echo $(((end - begin) / 1000)) >>"$scratch/$name"
}

median() { sort -n "$scratch/$1" | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

find "$dir" -type f -print0 | xargs -0 cat >/dev/null  # into the page cache
ours
theirs
for ((round = 0; round < rounds; ++round)); do
  timed ours; timed theirs; timed theirs; timed ours
done
for ((round = 0; round < rounds; ++round)); do
  timed same_output
done

echo "$dir: $(find "$dir" -type f | wc -l) files, $(du -sk --apparent-size "$dir" | cut -f1) KiB; $(nproc) CPUs; medians"
printf 'digest_tree                    %8.1f ms\n' "$(median ours | awk '{print $1 / 1000}')"
printf 'find | xargs -P%-2d -n64         %8.1f ms\n' "$(nproc)" "$(median theirs | awk '{print $1 / 1000}')"
printf 'find | sort | xargs sha256sum  %8.1f ms\n' "$(median same_output | awk '{print $1 / 1000}')"
awk -v ours="$(median ours)" -v theirs="$(median theirs)" \
  'BEGIN {printf "xargs -P / digest_tree = %.2f (1 or more: at least as fast)\n", theirs / ours}'
