# Shared by tests/run, examples/run, bench/run and .ci/run; sourced. Everything it says goes to stderr.
# shellcheck shell=bash

spool_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "spool: $*" >&2; }
die() { say "$*"; exit 2; }

# Runs a command; what it prints is shown only if it fails.
quietly() {
  local log
  log=$(mktemp)
  if "$@" >"$log" 2>&1 </dev/null; then
    rm -f "$log"
  else
    local status=$?
    cat "$log" >&2
    rm -f "$log"
    return "$status"
  fi
}

# apt-get as root; never asks, waits for another apt to end, removes nothing that is installed.
apt_as_root() {
  local root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || die "not root and no sudo; install as root: ${missing[*]}"
    root=(sudo)
  fi
  quietly "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confold --no-remove "$@"
}

spool_packages=(g++ cmake ninja-build libboost1.81-dev libboost-context1.81-dev libboost-fiber1.81-dev
  libfmt-dev libspdlog-dev libgtest-dev libbenchmark-dev libtbb-dev libssl-dev libjpeg-dev libpng-dev
  libsqlite3-dev libpq-dev sqlite3 curl relacy-dev valgrind)

# Installs what is missing of the packages that the library, its tests, examples and benchmarks need.
install_deps() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "no apt here; these are needed: ${spool_packages[*]}"
    return
  fi
  local missing=() package
  for package in "${spool_packages[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  say "installing ${missing[*]}"
  if [[ -z $(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -7 -print -quit 2>/dev/null) ]]; then
    say "updating the package lists"
    apt_as_root update
  fi
  apt_as_root install --no-install-recommends "${missing[@]}" && return
  say "trying again with fresh package lists"
  apt_as_root update
  apt_as_root install --no-install-recommends "${missing[@]}"
}

# install_from_backports PACKAGE...: what is too old in the distribution itself. Its backports come from the archive that apt
# is set up for; they are added to apt's sources if they are not there.
install_from_backports() {
  ! dpkg -s "$@" >/dev/null 2>&1 || return 0
  local missing=("$@") codename site root=()
  [[ $(id -u) == 0 ]] || root=(sudo)
  if [[ $(apt-cache policy "$1" 2>/dev/null) != *"Candidate: "[0-9]* ]]; then
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    site=$(apt-get indextargets --format '$(SITE)' "Codename: $codename" "Created-By: Packages" | head -n 1)
    say "adding $codename-backports to apt's sources"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $codename-backports main" |
      "${root[@]}" tee /etc/apt/sources.list.d/spool-backports.list >/dev/null
    apt_as_root update
  fi
  say "installing $*"
  apt_as_root install --no-install-recommends "$@"
}

# build_preset PRESET TARGET...: configures build/PRESET if that was not done yet, then builds.
build_preset() {
  local preset=$1 dir=$spool_root/build/$1
  shift
  export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
  if [[ ! -e $dir/build.ninja ]]; then
    say "configuring build/$preset"
    (cd "$spool_root" && quietly cmake --preset "$preset") || die "cmake --preset $preset failed"
  fi
  say "building $* in build/$preset"
  local quiet=(-- --quiet)
  [[ ! -t 2 ]] || quiet=()
  cmake --build "$dir" --target "$@" "${quiet[@]}" >&2 || die "the build failed"
}
