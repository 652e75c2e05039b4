#!/usr/bin/env bash
# Shows that layers.sh can fail: plants one breach at a time in a clean tree and expects it to be named.
set -euo pipefail

check=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/layers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

plant() {  # path, lines
  mkdir -p "$(dirname "$tree/$1")"
  printf '%s\n' "${@:2}" >"$tree/$1"
}

clean_tree() {
  rm -rf "${tree:?}"/*
  plant include/spool/spool.hpp '#include <spool/pool/worker_pool.hpp>'
  plant include/spool/base/error.hpp '#include <string>'
  plant include/spool/channel/channel.hpp '#include <spool/sync/mutex.hpp>' '#include <spool/channel/detail/core.hpp>'
  plant include/spool/pool/worker_pool.hpp '#include <spool/group/errgroup.hpp>' '#include <spool/base/error.hpp>'
  plant src/runtime/thread_state.cpp '#include <boost/fiber/context.hpp>' 'thread_local int here;'
  plant src/runtime/worker.cpp '#include "worker.hpp"' '// no thread_local here' '/* nor a' '   thread_local there */ int x;'
  plant src/pool/worker_pool.cpp '#include "runtime/worker.hpp"' '#include <boost/asio/post.hpp>'
  plant src/net/reactor.cpp '#include <spool/pipeline/pipeline.hpp>' '#include <spool/resilience/retry.hpp>'
}

expect_breach() {  # path, line, what must be said
  clean_tree
  plant "$1" 'int above;' "$2"
  local said status=0
  said=$("$check" "$tree") || status=$?
  if ((status != 1)) || [[ $said != *"$1:2: "*"$3"* ]]; then
    echo "not found: $1 with $2 (status $status, said: $said)"
    failures=$((failures + 1))
  fi
}

clean_tree
"$check" "$tree" || { echo "the clean tree is refused"; failures=$((failures + 1)); }

expect_breach include/spool/base/clock.hpp '#include <spool/runtime/runtime.hpp>' 'not below'
expect_breach include/spool/sync/semaphore.hpp '#include <spool/channel/channel.hpp>' 'not below'
expect_breach include/spool/group/errgroup.hpp '#include <spool/pool/worker_pool.hpp>' 'not below'
expect_breach include/spool/resilience/retry.hpp '#include <spool/group/errgroup.hpp>' 'not below'
expect_breach include/spool/net/socket.hpp '#include <spool/observe/trace.hpp>' 'not below'
expect_breach include/spool/channel/select.hpp '#include <spool/spool.hpp>' 'umbrella'
expect_breach src/context/context.cpp '  #  include "channel/core.hpp"' 'not below'
expect_breach src/base/error.cpp '#include <spool/odds/ends.hpp>' 'no layer'
expect_breach src/sync/mutex.cpp '#include <boost/fiber/mutex.hpp>' 'only src/runtime'
expect_breach src/sync/mutex.cpp '#include <boost/context/fiber.hpp>' 'only src/runtime'
expect_breach include/spool/runtime/runtime.hpp '#include <boost/fiber/all.hpp>' 'only src/runtime'
expect_breach src/runtime/worker.cpp '/* why */ static thread_local int depth;  // why' 'thread_local'
expect_breach include/spool/runtime/task.hpp 'extern __thread int depth;' 'thread_local'

clean_tree
plant include/spool/odds/ends.hpp 'int above;'
if "$check" "$tree" >/dev/null; then
  echo "not found: a folder that is no layer"
  failures=$((failures + 1))
fi
exit $((failures > 0))
