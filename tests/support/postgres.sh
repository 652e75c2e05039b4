#!/usr/bin/env bash
# A PostgreSQL server of a test's own, on a free loopback port, with its data below a temporary folder. Sourced:
#   postgres_start DIR     installs the server if need be and starts it; DIR is made and must be reachable for all.
#                          Exports POSTGRES_URL, POSTGRES_DIR (DIR) and POSTGRES_CONTROL (this file).
#   postgres_crash [DIR]   kill -9 to all its processes
#   postgres_restart [DIR] starts it again, on the same port, and waits until it has recovered
#   postgres_kill [DIR]    the two above
#   postgres_stop [DIR]    stops it and removes DIR
# For a server that another process has started: bash "$POSTGRES_CONTROL" crash|restart|kill|stop DIR.
# Where no server can be had the test ends with status 77, which CTest counts as skipped; if SPOOL_REQUIRE_INTEGRATION
# is 1, with status 1. What is committed is on the disk (fsync), as in production.
# shellcheck shell=bash

postgres_control=$(readlink -f -- "${BASH_SOURCE[0]}")

postgres_say() { echo "postgres: $*" >&2; }

postgres_unavailable() {
  if [[ ${SPOOL_REQUIRE_INTEGRATION-} == 1 ]]; then
    postgres_say "FAILED: $*"
    exit 1
  fi
  postgres_say "SKIPPED: $*"
  exit 77
}

# The newest server's folder of programs. pg_config knows the client's only.
postgres_bin() {
  local found
  found=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)
  [[ -x $found && -x ${found%/*}/initdb ]] && echo "${found%/*}"
}

# Debian's package makes a server of its own and starts it, unless told otherwise while it is installed.
postgres_install() (
  # shellcheck disable=SC1091
  source "${postgres_control%/*}/../../cmake/setup.sh"
  missing=(postgresql)
  command -v apt-get >/dev/null || die "no apt-get here"
  as_root=()
  [[ $(id -u) == 0 ]] || as_root=(sudo)
  no_cluster=/etc/postgresql-common/createcluster.d/spool-test.conf
  say "installing ${missing[*]}"
  [[ -n $(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -7 -print -quit 2>/dev/null) ]] ||
    apt_as_root update || exit
  apt_as_root install --no-install-recommends postgresql-common || exit
  trap '"${as_root[@]}" rm -f "$no_cluster"' EXIT
  "${as_root[@]}" mkdir -p "${no_cluster%/*}"
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
  apt_as_root install --no-install-recommends "${missing[@]}"
)

# The server refuses to run as root. Sets `as_user`, which goes before a command and becomes it, so that $! is its own.
postgres_user() {
  as_user=(env)
  [[ $(id -u) == 0 ]] || return 0
  user=postgres
  id "$user" >/dev/null 2>&1 || user=nobody
  as_user=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups -- env)
}

# Waits until process PID has gone, or is a zombie that its parent has yet to collect; at most 30 s.
postgres_gone() {
  local tries
  for ((tries = 0; tries < 600; ++tries)); do
    [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == [A-Y]* ]] || return 0
    sleep 0.05
  done
  return 1
}

# Starts the server on the port in DIR/port; 1 when it does not come up.
postgres_launch() {
  local dir=$1 bin port tries pid user as_user
  postgres_user
  bin=$(postgres_bin) || return
  port=$(<"$dir/port")
  "${as_user[@]}" -C "$dir" "$bin/postgres" -D "$dir/data" -c port="$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories="$dir" -c max_connections=200 -c fsync=on -c synchronous_commit=on \
    -c recovery_init_sync_method=syncfs \
    </dev/null >>"$dir/log" 2>&1 &
  pid=$!
  disown "$pid"
  echo "$pid" >"$dir/pid"
  for ((tries = 0; tries < 600; ++tries)); do
    "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U postgres -d postgres && [[ -d /proc/$pid ]] && return 0
    [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) == [A-Y]* ]] || return 1
    sleep 0.1
  done
  return 1
}

postgres_start() {
  local dir=$1 bin attempt user as_user
  bin=$(postgres_bin) || { postgres_install && bin=$(postgres_bin); } ||
    postgres_unavailable "no PostgreSQL server is installed, and installing the package postgresql did not work"
  mkdir -p "$dir" || postgres_unavailable "cannot make $dir"
  dir=$(readlink -f -- "$dir")
  postgres_user
  [[ -z ${user-} ]] || chown "$user": "$dir"
  "${as_user[@]}" -C / "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
    >"$dir/log" 2>&1 || { cat "$dir/log" >&2; postgres_say "FAILED: initdb"; exit 1; }
  for ((attempt = 0; attempt < 10; ++attempt)); do
    # Below the range from which the kernel takes ports for outgoing connections; a taken one shows at the start.
    echo $((10000 + RANDOM % 20000)) >"$dir/port"
    if postgres_launch "$dir"; then
      POSTGRES_URL=postgresql://postgres@127.0.0.1:$(<"$dir/port")/postgres
      export POSTGRES_URL POSTGRES_DIR=$dir POSTGRES_CONTROL=$postgres_control
      return 0
    fi
    postgres_crash "$dir"
  done
  cat "$dir/log" >&2
  postgres_say "FAILED: the server does not start"
  exit 1
}

# The server first stands still, so that it neither starts processes nor notices the death of those it has.
postgres_crash() {
  local dir=${1:-$POSTGRES_DIR} server each stat line
  server=$(<"$dir/pid")
  kill -STOP "$server" 2>/dev/null || return 0
  local processes=("$server")
  # Without a process for each look: meanwhile the server's processes go on serving.
  for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    [[ ${line##*) } != ?\ "$server"\ * ]] || processes+=("${line%% *}")
  done
  kill -KILL "${processes[@]}" 2>/dev/null || true
  for each in "${processes[@]}"; do postgres_gone "$each" || postgres_say "process $each survives kill -9"; done
  # A new server takes the zombie of the old one for a living server, where the parent does not collect it.
  if [[ -d /proc/$server ]]; then
    ipcrm -m "$(sed -n '7s/.* //p' "$dir/data/postmaster.pid")" 2>/dev/null || true
    rm -f "$dir/data/postmaster.pid" "$dir"/.s.PGSQL.*
  fi
}

postgres_restart() {
  local dir=${1:-$POSTGRES_DIR}
  postgres_launch "$dir" && return
  cat "$dir/log" >&2
  postgres_say "FAILED: the server does not start again"
  return 1
}

postgres_kill() { postgres_crash "$@" && postgres_restart "$@"; }

postgres_stop() {
  local dir=${1:-$POSTGRES_DIR} server
  [[ -n $dir && -e $dir/pid ]] || return 0
  server=$(<"$dir/pid")
  kill -INT "$server" 2>/dev/null && ! postgres_gone "$server" && postgres_crash "$dir"
  rm -rf "$dir"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  case ${1-} in
    crash | restart | kill | stop) "postgres_$1" "${2:?usage: $0 $1 DIR}" ;;
    *) sed -n 's/^# //p' "$0" && exit 2 ;;
  esac
fi
