#!/usr/bin/env bash
# Runs the built example thumbnails over images that thumbnails_probe makes, and looks at what comes out.
# usage: thumbnails.sh PATH_OF_THUMBNAILS PATH_OF_PROBE
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_THUMBNAILS PATH_OF_PROBE}")
probe=$(readlink -f -- "${2:?usage: $0 PATH_OF_THUMBNAILS PATH_OF_PROBE}")
for program in "$binary" "$probe"; do
  [ -x "$program" ] || { echo "not a program: $program" >&2; exit 2; }
done
scratch=$(mktemp -d) || exit 2
trap 'chmod -R u+rwx "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
chmod 755 .
failures=0

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# expect STATUS NAME COMMAND...: leaves stdout in $scratch/.out and stderr in $scratch/.err
expect() {
  local status=$1 name=$2 got=0
  shift 2
  "$@" >.out 2>.err || got=$?
  [ "$got" -eq "$status" ] || fail "$name: status $got instead of $status: $(head -c 300 .err)"
}

# manifest NAME: .out without the figures that vary is .want
manifest() {
  sed -E 's/, [0-9]+ bytes in, [0-9]+ bytes out, [0-9.]+ s, [0-9.]+ images\/s$//' .out | cmp -s .want - ||
    fail "$1: manifest differs: $(diff -a .want .out | head -n 8)"
}

quiet() { [ ! -s .err ] || fail "$1: unexpected message: $(head -c 300 .err)"; }

# no_leftovers NAME OUT: no temporary file, and every thumbnail is whole
no_leftovers() {
  find "$2" -name '.thumbnail-*' >.leftovers
  [ ! -s .leftovers ] || fail "$1: temporary files are left: $(head -n 3 .leftovers)"
  find "$2" -type f -print0 | xargs -0r "$probe" show >.shown 2>.broken ||
    fail "$1: a broken thumbnail: $(head -n 3 .broken)"
}

# looks FILE FORMAT WxH LEFT RIGHT TOLERANCE: the two halves have these colours, every pixel of them
looks() {
  local file=$1 shown
  shown=$("$probe" show "$file" 2>&1) || { fail "$shown"; return; }
  awk -v shown="${shown#"$file": }" -v format="$2" -v size="$3" -v left="$4" -v right="$5" -v tolerance="$6" '
    function far(a, b,  i, n, x, y, most) {
      n = split(a, x, ","); split(b, y, ",")
      for (i = 1; i <= n; i++) { d = x[i] - y[i]; if (d < 0) d = -d; if (d > most) most = d }
      return most + 0
    }
    BEGIN {
      split(shown, got, " ")
      exit !(got[1] == format && got[2] == size && far(got[3], left) <= tolerance && far(got[4], right) <= tolerance &&
             got[6] <= tolerance)
    }' || fail "looks: wanted $2 $3 $4 $5 within $6, got $shown"
}

test_pixels() {
  mkdir -p in/sub/deeper
  "$probe" make in/uniform.png 1000 600 10,200,30 10,200,30
  "$probe" make in/halves.png 1024 768 255,0,0 0,0,255
  "$probe" make in/sub/clear.png 400 300 200,100,50,0 200,100,50,128
  "$probe" make in/sub/uniform.jpg 1000 600 120,130,140 120,130,140
  "$probe" make in/sub/deeper/halves.jpeg 1024 768 200,200,200 40,40,40
  "$probe" make in/tall.png 30 3000 1,2,3 1,2,3
  "$probe" make in/thin.png 5000 3 9,8,7 9,8,7
  "$probe" make in/small.png 100 50 5,6,7 5,6,7
  "$probe" make in/exact.jpg 128 64 90,90,90 90,90,90
  "$probe" make in/large.jpg 3001 1999 90,60,30 90,60,30
  mv in/exact.jpg in/exact.JPG
  cp in/small.png in/truly_png.jpg
  cp in/small.png in/no_extension; cp in/small.png in/.png; echo text >in/text.txt
  ln -s small.png in/link.png; mkdir in/directory.png; mkfifo in/fifo.png
  {
    printf '%s\t%s\t%s\n' exact.JPG 128x64 128x64 halves.png 1024x768 128x96 large.jpg 3001x1999 128x85 \
      small.png 100x50 100x50 sub/clear.png 400x300 128x96 sub/deeper/halves.jpeg 1024x768 128x96 \
      sub/uniform.jpg 1000x600 128x77 tall.png 30x3000 1x128 thin.png 5000x3 128x1 truly_png.jpg 100x50 100x50 \
      uniform.png 1000x600 128x77
    echo '11 thumbnails, 0 failed'
  } >.want
  expect 0 pixels "$binary" in --out out --size 128
  manifest pixels
  quiet pixels
  no_leftovers pixels out
  [ "$(find out -type f | wc -l)" -eq 11 ] || fail "pixels: files: $(find out -type f)"
  looks out/uniform.png png 128x77 10,200,30,255 10,200,30,255 0
  looks out/halves.png png 128x96 255,0,0,255 0,0,255,255 0
  looks out/sub/uniform.jpg jpeg 128x77 120,130,140,255 120,130,140,255 2
  looks out/sub/deeper/halves.jpeg jpeg 128x96 200,200,200,255 40,40,40,255 3
  looks out/large.jpg jpeg 128x85 90,60,30,255 90,60,30,255 2
  looks out/tall.png png 1x128 1,2,3,255 1,2,3,255 0
  looks out/thin.png png 128x1 9,8,7,255 9,8,7,255 0
  looks out/small.png png 100x50 5,6,7,255 5,6,7,255 0
  looks out/truly_png.jpg png 100x50 5,6,7,255 5,6,7,255 0
  [[ $("$probe" show out/sub/clear.png) == *' 128x96 0,0,0,0 200,100,50,128 spread 0' ]] ||
    fail "transparency: $("$probe" show out/sub/clear.png)"
  for workers in 1 2 4 8; do
    for queue in 1 7; do
      rm -rf again
      expect 0 "$workers workers, queue $queue" \
        "$binary" --workers "$workers" --queue "$queue" --size=128 --out=again in/
      manifest "$workers workers, queue $queue"
      diff -r out again >/dev/null || fail "$workers workers, queue $queue: other thumbnails"
    done
  done
  (cd in && "$binary" . --size 128 --out inside/deep >../.out) || fail 'output inside: status'
  manifest 'output inside'
  (cd in && "$binary" . --size 128 --out inside/deep >../.out) || fail 'output inside, again: status'
  manifest 'output inside, again: thumbnails of thumbnails'
  rm -r in/inside
  [ "$(stat -c %a out/small.png)" = "$(: >plain; stat -c %a plain)" ] || fail 'mode is not that of other new files'
}

test_odd_names() {
  mkdir -p odd/$'new\nline' odd/$'\xff\xfe' odd/' '
  local name
  for name in '-n.png' $'tab\t.png' $'new\nline/\r.png' 'back\slash.png' $'\xff\xfe/\x01\x80.png' ' / .png' \
    '$(x).png' '*.png'; do
    cp in/small.png odd/"$name"
  done
  expect 0 'odd names' "$binary" odd --out odd_out
  quiet 'odd names'
  printf '%s\t100x50\t100x50\n' ' / .png' '$(x).png' '*.png' '-n.png' 'back\\slash.png' 'new\nline/\r.png' 'tab\t.png' \
    $'\xff\xfe/\x01\x80.png' >.want
  echo '8 thumbnails, 0 failed' >>.want
  manifest 'odd names'
  files_of() { (cd "$1" && find . -type f -print0 | sort -z | tr '\0' '|'); }
  [ "$(files_of odd)" = "$(files_of odd_out)" ] ||
    fail 'odd names: not the same paths'
  mv odd ./-odd
  expect 0 'a directory that looks like an option' "$binary" --out odd_out -- -odd
  manifest 'a directory that looks like an option'
}

test_broken() {
  mkdir -p bad/locked
  cp in/small.png bad/z_good.png
  cp in/sub/uniform.jpg bad/a_good.jpg
  : >bad/empty.png
  echo 'no image' >bad/text.jpg
  head -c 20 in/halves.png >bad/head.png
  head -c 1500 in/halves.png >bad/cut.png
  head -c $(($(stat -c %s in/large.jpg) / 2)) in/large.jpg >bad/cut.jpg
  cp in/small.png $'bad/\x1b[2J.png'; truncate -s -1 $'bad/\x1b[2J.png'
  truncate -s 200M bad/huge.png
  printf '%s\t%s\t%s\n' a_good.jpg 1000x600 256x154 z_good.png 100x50 100x50 >.want
  echo '2 thumbnails, 7 failed' >>.want
  expect 1 broken "$binary" bad --out bad_out
  manifest broken
  no_leftovers broken bad_out
  [ "$(find bad_out -type f | wc -l)" -eq 2 ] || fail "broken: files: $(find bad_out -type f)"
  [ "$(grep -c '^thumbnails: bad/' .err)" -eq 7 ] && [ "$(wc -l <.err)" -eq 7 ] || fail "broken: messages: $(cat .err)"
  sed 's/: .*//' < <(sed 's/^thumbnails: //' .err) >.names
  sort -c .names || fail 'broken: messages are not in order'
  local message
  for message in 'empty.png: is empty' 'text.jpg: neither a JPEG nor a PNG image' 'huge.png: larger than 128 MiB' \
    'cut.jpg: .*end of' 'cut.png: premature end of file' '\\033\[2J.png: premature end of file'; do
    grep -q "^thumbnails: bad/$message" .err || fail "broken: no message '$message': $(cat .err)"
  done
  mkdir -p taken/small.png
  expect 1 'a directory in the way' "$binary" in --out taken
  grep -q '^thumbnails: in/small.png: cannot write taken/small.png: Is a directory$' .err ||
    fail "in the way: $(cat .err)"
  grep -q '^10 thumbnails, 1 failed, ' .out || fail "in the way: $(tail -n 1 .out)"
  no_leftovers 'a directory in the way' taken
}

# Root may read everything: as root, the command runs as nobody.
test_unreadable() {
  mkdir -p locked/dir
  cp in/small.png locked/a.png; cp in/small.png locked/b.png; cp in/small.png locked/dir/c.png
  chmod 000 locked/b.png locked/dir
  cp -- "$binary" ./copy_for_nobody && chmod 755 copy_for_nobody
  mkdir nobody_out && chmod 777 nobody_out
  local as=()
  [ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  if "${as[@]}" test -r locked/b.png || ! "${as[@]}" test -r locked/a.png; then
    echo 'skipped: unreadable files (cannot become a user who may not read)' >&2
    return
  fi
  expect 1 unreadable "${as[@]}" ./copy_for_nobody locked --out nobody_out
  printf 'a.png\t100x50\t100x50\n1 thumbnails, 1 failed\n' >.want
  manifest unreadable
  printf 'thumbnails: locked/b.png: Permission denied\nthumbnails: locked/dir: Permission denied\n' >.want
  cmp -s .want .err || fail "unreadable: messages differ: $(cat .err)"
  chmod -R u+rwx locked
}

test_wrong_use() {
  local words
  for words in '' 'in in' '--workers 0 in' '--size x in' '--size 4096 in' 'in --queue' '--queue -1 in' '--quick in' \
    '-z in' 'in --out in' 'in/sub --out in' 'in --out ./in/../in' 'in --out .'; do
    # shellcheck disable=SC2086
    expect 2 "options: $words" "$binary" $words
    grep -q '^usage: thumbnails DIR' .err || fail "options: $words: no usage"
    [ ! -s .out ] || fail "options: $words: output"
  done
  expect 2 'no such directory' "$binary" nowhere --out never
  grep -q '^thumbnails: nowhere/: No such file or directory$' .err || fail "no such directory: $(cat .err)"
  expect 2 'a file' "$binary" in/small.png --out never
  grep -q 'Not a directory$' .err || fail "a file: $(cat .err)"
  [ ! -e never ] || fail 'an output directory although there is no input'
  expect 2 'output is a file' "$binary" in --out in/small.png
  grep -q '^thumbnails: in/small.png: ' .err || fail "output is a file: $(cat .err)"
  expect 0 help "$binary" --help
  grep -q '^usage: ' .out || fail 'help: no usage'
}

make_load() {
  "$probe" make noise.png 1200 900 noise noise  # some 3 MB
  mkdir few many
  local i
  for i in $(seq -w 400); do ln noise.png "many/$i.png"; done
  for i in $(seq -w 40); do ln noise.png "few/$i.png"; done
}

test_signal() {
  local signal=$1 status=$2 got=0 pid
  rm -rf stopped
  # bash lets a background job ignore SIGINT; a fresh start by env gives the default back.
  env --default-signal=INT,TERM "$binary" many --out stopped >.out 2>.err &
  pid=$!
  until [ -n "$(find stopped -name '*.png' 2>/dev/null)" ]; do sleep 0.02; done
  kill -s "$signal" "$pid"
  wait "$pid" || got=$?
  [ "$got" -eq "$status" ] || fail "$signal: status $got instead of $status"
  quiet "$signal"
  no_leftovers "$signal" stopped
  [ "$(find stopped -name '*.png' | wc -l)" -lt 400 ] || fail "$signal: was not stopped"
  ! grep -q 'thumbnails,' .out || fail "$signal: a summary although it was stopped"
  [ ! -s .out ] || [ "$(tail -c 1 .out | od -An -c | tr -d ' ')" = '\n' ] || fail "$signal: output ends within a line"
}

# AddressSanitizer would keep what was freed.
peak_kib() {
  ASAN_OPTIONS=quarantine_size_mb=0 "$probe" peak "$binary" "$1" --out "peak_$1" --workers 2 --queue 4 3>&1 >/dev/null
}

# 120 MB of files and 1.2 GB of files, six images in flight: memory must be the same. Not under ThreadSanitizer, whose
# notes grow with all that ever happened.
test_memory() {
  ! grep -q __tsan_init "$binary" || return 0
  local few many
  few=$(peak_kib few)
  many=$(peak_kib many)
  echo "peak with 40 images: $few KiB, with 400: $many KiB" >&2
  [ "$many" -le $((few + 16384)) ] || fail 'memory grows with the number of images'
  [ "$many" -le 131072 ] || fail 'memory: more than six images in flight need'
}

test_reader() {
  local got
  "$binary" in --out reader 2>.err | head -c 0
  got=${PIPESTATUS[0]}
  [ "$got" -eq 141 ] || [ "$got" -eq 0 ] || fail "reader gone: status $got"
  quiet 'reader gone'
  [ -w /dev/full ] || return
  got=0
  "$binary" in --out reader >/dev/full 2>.err || got=$?
  [ "$got" -eq 1 ] && grep -q 'No space left' .err || fail "full device: status $got, $(cat .err)"
}

test_progress() {
  command -v script >/dev/null || { echo 'skipped: progress (no script command)' >&2; return; }
  expect 0 progress script -qec "'$binary' few --out shown_out --workers 1 >.listed" .terminal
  grep -q 'thumbnails, .* failed, .* images/s, .* in flight' .terminal || fail 'progress: none on a terminal'
  expect 0 'progress: a pipe' script -qec "'$binary' few --out shown_out | cat >.listed" .terminal
  ! grep -q 'in flight' .terminal || fail 'progress: shown although the output is a pipe'
}

test_pixels
test_odd_names
test_broken
test_unreadable
test_wrong_use
make_load
test_signal INT 130
test_signal TERM 143
test_memory
test_reader
test_progress

[ "$failures" -eq 0 ] && echo "thumbnails: all as expected"
exit $((failures > 0))
