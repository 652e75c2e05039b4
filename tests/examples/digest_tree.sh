#!/usr/bin/env bash
# Runs the built digest_tree against its definition:
#   find DIR -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
# usage: digest_tree.sh PATH_OF_DIGEST_TREE
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_DIGEST_TREE}")
[ -x "$binary" ] || { echo "not a program: $binary" >&2; exit 2; }
scratch=$(mktemp -d) || exit 2
trap 'chmod -R u+rwx "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
chmod 755 .
failures=0

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

reference() { find "$1" -type f -print0 | sort -z | xargs -0 sha256sum; }

# expect STATUS NAME COMMAND...: leaves stdout in $scratch/.out and stderr in $scratch/.err
expect() {
  local status=$1 name=$2 got=0
  shift 2
  "$@" >.out 2>.err || got=$?
  [ "$got" -eq "$status" ] || fail "$name: status $got instead of $status: $(head -c 300 .err)"
}

# same NAME DIR [OPTIONS...]
same() {
  local name=$1 dir=$2
  shift 2
  reference "$dir" >.want 2>/dev/null
  expect 0 "$name" "$binary" "$dir" "$@"
  cmp -s .want .out || fail "$name: output differs: $(diff -a .want .out | head -n 5)"
  [ ! -s .err ] || fail "$name: unexpected message: $(head -c 300 .err)"
}

make_odd_tree() {
  mkdir -p odd/a odd/ab odd/'a b' odd/empty/empty odd/-dir odd/.hidden $'odd/new\nline' $'odd/b\\s' $'odd/\xff\xfe'
  local name
  for name in a/x a.b a0 a- ab/x 'a b/x' -n -dir/-rf .hidden/.f ' ' '  lead' 'trail ' '*' '$(x)' "it's" '"' $'tab\t' \
    $'new\nline/f' $'\n' $'\r' $'cr\rlf\r\n' '\' $'b\\s/\\n' $'\xff\xfe/\x80' $'\xc3\xa4' $'\x01\x7f'; do
    printf '%s' "$name" >odd/"$name"
  done
  : >odd/nothing
  head -c 65536 /dev/zero >odd/one_buffer
  head -c 65537 /dev/zero >odd/one_buffer_and_a_byte
  head -c 3000001 /dev/urandom >odd/large
  ln -s a.b odd/link && ln -s a odd/dirlink && ln -s nowhere odd/dangling && ln -s . odd/loop
  mkfifo odd/fifo
}

test_same_as_reference() {
  make_odd_tree
  same 'odd names' odd
  same 'odd names, absolute' "$scratch/odd"
  for workers in 1 2 4 8; do
    for queue in 1 7 1000; do
      same "odd names, $workers workers, queue $queue" odd --workers "$workers" --queue "$queue"
    done
  done
  same 'slash at the end' odd/
  same 'two slashes at the end' odd//
  same 'dots' odd/../odd/.
  same 'a file' odd/a.b
  same 'a FIFO' odd/fifo
  same 'an empty directory' odd/empty
  ln -s odd link_to_odd
  same 'a symbolic link' link_to_odd
  same 'a symbolic link and a slash' link_to_odd/
  same 'a real tree' /usr/share/doc/
  (cd odd && reference . >../.want && "$binary" . >../.out && cmp -s ../.want ../.out) || fail 'the current directory'
  mv odd ./-odd
  expect 0 'a name that looks like an option' "$binary" -- -odd
  reference ./-odd | sed 's|  \./-odd|  -odd|' >.want
  cmp -s .want .out || fail 'a name that looks like an option: output differs'
  mv ./-odd odd
  sha256sum --check --quiet < <("$binary" odd) || fail 'sha256sum --check does not accept the output'
}

test_deep() {
  # 900 levels: more than there are file descriptors by default, less than PATH_MAX.
  (ulimit -n 256; mkdir deep && cd deep && for _ in $(seq 900); do echo x >f; mkdir d && cd d || exit; done)
  reference deep >.want
  (ulimit -n 64; "$binary" deep >.out) || fail 'deep tree: status'
  cmp -s .want .out || fail 'deep tree: output differs'
}

test_wrong_use() {
  expect 2 'no such directory' "$binary" nowhere
  grep -q '^digest_tree: nowhere: No such file or directory$' .err || fail 'no such directory: message'
  [ ! -s .out ] || fail 'no such directory: output'
  : >plain
  expect 2 'a file with a slash' "$binary" plain/
  grep -q 'Not a directory' .err || fail 'a file with a slash: message'
  local words
  for words in '' 'odd odd' '--workers 0 odd' '--workers x odd' 'odd --queue' '--queue -1 odd' '--quick odd' '-z odd'; do
    # shellcheck disable=SC2086
    expect 2 "options: $words" "$binary" $words
    grep -q '^usage: digest_tree DIR' .err || fail "options: $words: no usage"
    [ ! -s .out ] || fail "options: $words: output"
  done
  expect 0 help "$binary" --help
  grep -q '^usage: ' .out || fail 'help: no usage'
}

# Root may read everything: as root, the command runs as nobody.
as_nobody() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
  else
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  fi
}

test_unreadable() {
  mkdir -p locked/dir locked/z
  echo a >locked/a; echo b >locked/b; echo c >locked/dir/c; echo d >locked/z/d
  chmod 000 locked/b locked/dir
  cp -- "$binary" ./copy_for_nobody && chmod 755 copy_for_nobody
  if as_nobody test -r locked/b || ! as_nobody test -r locked/a; then
    echo "skipped: unreadable files (cannot become a user who may not read)" >&2
    return
  fi
  as_nobody bash -c 'find locked -type f -print0 | sort -z | xargs -0 sha256sum' >.want 2>/dev/null
  expect 1 'unreadable' as_nobody ./copy_for_nobody locked
  cmp -s .want .out || fail "unreadable: output differs: $(diff .want .out)"
  printf 'digest_tree: locked/b: Permission denied\ndigest_tree: locked/dir: Permission denied\n' >.want
  cmp -s .want .err || fail "unreadable: messages differ: $(cat .err)"
  chmod -R u+rwx locked
}

make_large_tree() {
  mkdir many
  (cd many && seq -f 'd%03g' 200 | xargs mkdir && for d in d*; do (cd "$d" && seq -f "$d-%03g" 100 | xargs touch); done)
}

# at_rest PID: the command waits for its reader. Seen from the counts of its reads and writes, which stand still.
at_rest() {
  local last=-1 now=0
  while
    sleep 0.2
    now=$(awk '/^sysc[rw]/ {sum += $2} END {print sum}' "/proc/$1/io")
    [ "$now" != "$last" ]
  do last=$now; done
}

# A reader that does not read holds the command in the middle; then a signal must end it.
test_signal() {
  local signal=$1 status=$2 got=0 pid
  rm -f held && mkfifo held
  exec 3<>held
  # bash lets a background job ignore SIGINT; a fresh start by env gives the default back.
  env --default-signal=INT,TERM "$binary" many >held 2>.err &
  pid=$!
  head -c 1 <&3 >.first
  at_rest "$pid"
  kill -s "$signal" "$pid"
  # The rest of the pipe; ends as soon as nobody writes any more.
  exec 4<held 3>&-
  cat <&4 >.rest &
  wait "$pid" || got=$?
  wait
  exec 4<&-
  [ "$got" -eq "$status" ] || fail "$signal: status $got instead of $status"
  [ ! -s .err ] || fail "$signal: message: $(head -c 300 .err)"
  cat .first .rest >.out
  [ "$(tail -c 1 .out | od -An -c | tr -d ' ')" = '\n' ] || fail "$signal: output ends within a line"
  reference many 2>.ignored | head -c "$(stat -c %s .out)" | cmp -s - .out || fail "$signal: output is not a beginning of the whole"
  [ "$(wc -l <.out)" -lt 20000 ] || fail "$signal: was not stopped"
}

test_reader_goes() {
  local got
  "$binary" many 2>.err | head -n 1 >.out
  got=${PIPESTATUS[0]}
  [ "$got" -eq 141 ] || fail "reader gone: status $got instead of 141"
  [ ! -s .err ] || fail "reader gone: message: $(cat .err)"
}

test_output_fails() {
  [ -w /dev/full ] || return
  got=0
  "$binary" many >/dev/full 2>.err || got=$?
  [ "$got" -eq 1 ] && grep -q 'No space left' .err || fail "full device: status $got, $(cat .err)"
  got=0
  "$binary" many >&- 2>.err || got=$?
  [ "$got" -eq 1 ] && grep -q 'Bad file descriptor' .err || fail "closed output: status $got, $(cat .err)"
}

# Two trees past the point where the queues are full, the reader slow: memory must be the same.
peak_kib() {
  "$binary" "$1" --queue "$2" >held 2>/dev/null &
  local pid=$!
  exec 3<held
  head -c 1 <&3 >.first
  at_rest "$pid"
  awk '/^VmHWM/ {print $2}' /proc/$pid/status
  kill -s TERM $pid
  exec 3<&-
  wait $pid
}

test_memory() {
  rm -f held && mkfifo held
  mkdir more && for copy in 1 2 3 4; do cp -r many more/$copy; done
  local few many_more
  few=$(peak_kib many 64)
  many_more=$(peak_kib more 64)
  echo "peak with 20,000 files: $few KiB, with 80,000: $many_more KiB" >&2
  [ "$many_more" -le $((few + 2048)) ] || fail 'memory grows with the number of files'
}

test_progress() {
  command -v script >/dev/null || { echo 'skipped: progress (no script command)' >&2; return; }
  mkdir huge && truncate -s 1G huge/sparse  # long enough to see a few redraws
  expect 0 'progress: a file for output' script -qec "'$binary' huge >.digests" .terminal
  grep -q 'files, .*MiB/s, .* queued' .terminal || fail 'progress: none on a terminal'
  expect 0 'progress: a pipe for output' script -qec "'$binary' huge | cat >.digests" .terminal
  ! grep -q 'queued' .terminal || fail 'progress: shown although the output is a pipe'
  [ "$(cut -c 1-64 .digests)" = 49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14 ] ||
    fail 'progress: wrong digest of 1 GiB of zeros'
}

test_same_as_reference
test_deep
test_wrong_use
test_unreadable
make_large_tree
same 'many small files' many
test_signal INT 130
test_signal TERM 143
test_reader_goes
test_output_fails
test_memory
test_progress

[ "$failures" -eq 0 ] && echo "digest_tree: all as expected"
exit $((failures > 0))
