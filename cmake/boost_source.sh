#!/usr/bin/env bash
# Prints the path of the distribution's source tarball of Boost: boost_source.sh 1.81. Downloads it once, without root
# and without touching the system's apt: same servers, keys and proxies, but deb-src lines and lists of our own.
set -euo pipefail

version=$1
cache=${SPOOL_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/spool}
mkdir -p "$cache"

cached() {
  find "$cache" -maxdepth 1 -name "boost${version}_*.orig.tar.*" ! -name '*.asc' -print -quit
}

tarball=$(cached)
if [[ -n $tarball ]]; then
  echo "$tarball"
  exit
fi
if ! command -v apt-get >/dev/null; then
  echo "spool: no apt-get here; put boost${version}_<version>.orig.tar.xz into $cache" >&2
  exit 1
fi

work=$(mktemp -d "$cache/download.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/parts" "$work/lists/partial" "$work/archives/partial" "$work/out"

dir=/etc/apt
eval "$(apt-config shell dir Dir::Etc/d)"
for list in "${dir%/}/sources.list" "${dir%/}"/sources.list.d/*.list; do
  [[ -r $list ]] || continue
  sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' "$list" | sort -u >"$work/parts/$(basename "$list" .list).list"
done
for list in "${dir%/}"/sources.list.d/*.sources; do
  [[ -r $list ]] || continue
  sed -E 's/^Types:.*/Types: deb-src/' "$list" >"$work/parts/$(basename "$list")"
done

options=(-q -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/parts"
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o "Dir::Cache::Archives=$work/archives"
  -o "Acquire::Languages=none" -o "Acquire::Retries=3" -o "APT::Update::Error-Mode=any")
[[ $(id -u) != 0 ]] || options+=(-o "APT::Sandbox::User=root")  # the download lands in a folder of root's
{
  # A third party's archive may offer no sources; what counts is whether Boost's arrive.
  apt-get "${options[@]}" update || true
  (cd "$work/out" && apt-get "${options[@]}" source --download-only "boost$version")
} >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  exit 1
}
mv "$work"/out/*.orig.tar.* "$cache/"
cached
