#!/usr/bin/env bash
# Runs the built crawler over sites whose pages and links are known.
# usage: crawler.sh PATH_OF_CRAWLER PATH_OF_CRAWLER_PROBE
set -u
export LC_ALL=C

binary=$(readlink -f -- "${1:?usage: $0 PATH_OF_CRAWLER PATH_OF_CRAWLER_PROBE}")
probe=$(readlink -f -- "${2:?usage: $0 PATH_OF_CRAWLER PATH_OF_CRAWLER_PROBE}")
[ -x "$binary" ] && [ -x "$probe" ] || { echo "not a program: $binary or $probe" >&2; exit 2; }
scratch=$(mktemp -d) || exit 2
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2
failures=0

fail() { echo "FAILED: $*" >&2; failures=$((failures + 1)); }

# expect STATUS NAME COMMAND...: leaves stdout in .out and stderr in .err
expect() {
  local status=$1 name=$2 got=0
  shift 2
  timeout -k 5 120 "$@" >.out 2>.err || got=$?
  [ "$got" -eq "$status" ] || fail "$name: status $got instead of $status: $(head -c 300 .err)"
}

# counts NAME PAGES FAILURES [REDIRECTS [BROKEN_LINKS]]: what the report in .out says
counts() {
  local want="pages: $2
broken links: ${5:-0}
failures: $3
redirects: ${4:-0}"
  [ "$(grep -E '^(pages|broken links|failures|redirects): ' .out)" = "$want" ] || fail "$1: not $want: $(cat .out)"
  [ "$(wc -l <.err)" -eq $(($3 + ${5:-0})) ] || fail "$1: not a message for each: $(head -c 500 .err)"
}

# serve NAME OPTIONS...: a server of its own, whose URL is left in $url
serve() {
  local output=$1 tries=0
  shift
  : >"$output"
  env --default-signal=INT,TERM "$binary" --serve-only "$@" >"$output" 2>"$output.err" &
  server=$!
  servers+=("$server")
  until url=$(sed -nE 's#^serving .* at (http://.*)$#\1#p' "$output") && [ -n "$url" ]; do
    kill -0 "$server" 2>/dev/null && [ $((tries += 1)) -lt 600 ] || { fail "server: $(cat "$output.err")"; return 1; }
    sleep 0.05
  done
}

stop() {  # stop PID SIGNAL STATUS
  local got=0
  kill -s "$2" "$1"
  wait "$1" || got=$?
  [ "$got" -eq "$3" ] || fail "$2 to a server: status $got instead of $3"
}

# 9 pages: /, a, b, c, d/ (an index.html), d/e, the odd name, the plain text, and what is linked from an index of d/list/.
make_known_site() {
  mkdir -p known/d
  cat >known/index.html <<'END'
<a href="a.html">a</a> <a href='b.html#part'>b</a> <A HREF=/c.html>c</A> <a href="b.html#other">b again</a>
<a href="d/">folder</a> <a href="odd%20%26%20n%C3%A4me.html">odd</a> <a href="?x=1&amp;y=2">a query is another page</a>
<!-- <a href="comment.html"> --> <script>"<a href='script.html'>"</script>
<a href="mailto:a@b">mail</a> <a href="https://127.0.0.1/x">TLS</a> <a href="http://127.0.0.2:1/">other host</a>
END
  echo '<a href="b.html">b</a> <a href="./">top</a>' >known/a.html
  echo '<a href="a.html">circle</a> <a href="b.html">myself</a>' >known/b.html
  echo '<a href=notes.txt>text</a>' >known/c.html
  echo '<a href="not-html.html">not HTML</a>' >known/notes.txt
  echo '<a href=../d/e.html>e</a> <a href=index.html>my other name</a>' >known/d/index.html
  echo '<a href="../../../a.html">above the top</a>' >known/d/e.html
  echo 'odd' >known/'odd & näme.html'
  echo 'secret' >known/unlinked.html
}

test_known_site() {
  local workers
  for workers in 1 2 16 200; do
    expect 0 "known site, $workers at a time" "$binary" --serve known --concurrency "$workers"
    counts "known site, $workers at a time" 9 0 1
  done
  local bytes
  bytes=$(cat known/index.html known/index.html known/[abc].html known/notes.txt known/d/*.html known/odd* | wc -c)
  grep -qx "bytes: $bytes" .out || fail "known site: not $bytes bytes: $(cat .out)"
  grep -qE '^pages/s: [0-9]+\.[0-9]$' .out || fail 'known site: no pages/s'
  expect 0 'one worker thread' env SPOOL_THREADS=1 "$binary" --serve known
  counts 'one worker thread' 9 0 1
  expect 0 'depth 0' "$binary" --serve known --depth 0
  counts 'depth 0' 1 0
  expect 0 'depth 1' "$binary" --serve known --depth 1
  counts 'depth 1' 7 0
  expect 0 'limit' "$binary" --serve known --limit 4
  counts 'limit' 4 0 "$(sed -nE 's/^redirects: //p' .out)"
}

test_broken_links() {
  cp -r known broken
  echo '<a href="gone.html">gone</a> <a href="gone.html">again</a> <a href="d/%2e%2e/%2e%2e/x">up</a> <a href="..%2f..%2fetc/passwd">out</a>' >broken/a.html
  ln -s /etc/passwd broken/passwd
  echo '<a href="passwd">leads out</a>' >>broken/b.html
  expect 0 'broken links' "$binary" --serve broken
  counts 'broken links' 9 0 1 4
  grep -qE '^crawler: http://127.0.0.1:[0-9]+/gone.html: 404 Not Found \(linked from http://127.0.0.1:[0-9]+/a.html\)$' .err ||
    fail "broken links: $(cat .err)"
  [ "$(grep -c ': 403 Forbidden' .err)" -eq 2 ] || fail "broken links: not two ways out: $(cat .err)"
}

test_folders_and_depth() {
  mkdir -p folders/x/y folders/'a&b "c"' && touch folders/{1,2,x/3,x/y/4,'a&b "c"/<5>',$'new\nline'} && ln -s . folders/loop
  expect 0 'generated lists' "$binary" --serve folders
  counts 'generated lists' 10 0
  mkdir chain
  echo '<a href=1.html>' >chain/index.html
  for i in $(seq 2000); do echo "<a href=$((i + 1)).html>" >chain/$i.html; done
  echo end >chain/2001.html
  expect 0 'deep chain' "$binary" --serve chain
  counts 'deep chain' 2002 0
  mkdir wide
  for i in $(seq 300); do seq -f '<a href=%g.html>' 300 >wide/$i.html; done  # every page links to every other
  expect 0 'all linked to all' "$binary" --serve wide --concurrency 3
  counts 'all linked to all' 301 0
}

test_url_lists() {
  serve .server --serve known || return
  expect 0 'URLs' "$binary" "${url}a.html" "${url}b.html" "${url}a.html#x"
  counts 'URLs' 2 0
  expect 0 'URLs with their links' "$binary" --depth 1 "${url}a.html"
  counts 'URLs with their links' 3 0
  expect 0 'a URL that moved' "$binary" "${url}d"
  counts 'a URL that moved' 1 0 1
  printf '%sa.html\r\n\n  # no URL\n%sc.html' "$url" "$url" >.list
  expect 0 'URLs from a file' "$binary" - <.list
  counts 'URLs from a file' 2 0
  expect 0 'URLs from a pipe' bash -c 'cat .list | "$1" "$2" -' - "$binary" "${url}b.html"
  counts 'URLs from a pipe' 3 0
  expect 1 'bad URLs' "$binary" "${url}a.html" "${url}gone.html" nonsense https://127.0.0.1/ http://127.0.0.1:1/
  counts 'bad URLs' 1 4
  grep -q 'http://127.0.0.1:1/: .*Connection refused' .err && grep -q '^crawler: nonsense: ' .err || fail "bad URLs: $(cat .err)"
  # 41 requests, of which the first finds a token: at least 40 / 100 s.
  seq -f "${url}?%g" 41 >.list
  expect 0 'rate' "$binary" --per-host-rate 100 - <.list
  counts 'rate' 41 0
  awk '/^seconds: / {exit !($2 >= 0.399)}' .out || fail "rate: faster than allowed: $(cat .out)"
  expect 2 'a port that is taken' "$binary" --serve known --port "$(sed -E 's#.*:([0-9]+)/#\1#' <<<"$url")"
  grep -qE '^crawler: port [0-9]+: Address already in use$' .err || fail "a port that is taken: $(cat .err)"
  stop "$server" TERM 143
}

test_timeout() {
  rm -f .hold && mkfifo .hold
  "$probe" <.hold >.probe &
  servers+=($!)
  exec 5>.hold
  until grep -q http .probe; do sleep 0.05; done
  expect 1 'a mute host' "$binary" --timeout 200 "$(cat .probe)x"
  counts 'a mute host' 0 1
  grep -q '/x: no answer within 200 ms$' .err || fail "a mute host: $(cat .err)"
  exec 5>&-
  serve .slow --serve known --delay 3600000 || return
  expect 1 'a slow host' "$binary" --timeout 200 "${url}a.html" "${url}b.html"
  counts 'a slow host' 0 2
  stop "$server" INT 130
}

# The first page takes an hour: the signal comes while it is in flight.
test_signal() {
  local signal=$1 status=$2 got=0 pid port
  env --default-signal=INT,TERM "$binary" --serve known --delay 3600000 --timeout 3600000 >.out 2>.err &
  pid=$!
  servers+=("$pid")
  until grep -q ^serving .out; do sleep 0.05; done
  # A connection to that port is open.
  port=$(sed -nE 's#^serving .*:([0-9]+)/$#\1#p' .out)
  until grep -q "$(printf ' [0-9A-F]*:%04X 01 ' "$port")" /proc/net/tcp; do
    kill -0 "$pid" 2>/dev/null || { fail "$signal: it ended by itself"; return; }
    sleep 0.05
  done
  kill -s "$signal" "$pid"
  wait "$pid" || got=$?
  [ "$got" -eq "$status" ] || fail "$signal: status $got instead of $status"
  counts "$signal" 0 0
  grep -qx 'not fetched: 1' .out || fail "$signal: $(cat .out)"
  # In the midst of many pages, and while it waits for more to be named.
  got=0
  env --default-signal=INT,TERM timeout -k 5 --foreground -s "$signal" 1 "$binary" --serve wide --per-host-rate 20 >.out 2>.err || got=$?
  [ "$got" -eq 124 ] && grep -q '^pages: [1-9]' .out && grep -q '^not fetched: [1-9]' .out && [ ! -s .err ] ||
    fail "$signal in the midst: status $got, $(cat .out .err)"
  got=0
  mkfifo .silent
  exec 6<>.silent
  env --default-signal=INT,TERM timeout -k 5 --foreground -s "$signal" 1 "$binary" - <&6 >.out 2>.err || got=$?
  [ "$got" -eq 124 ] && grep -qx 'pages: 0' .out || fail "$signal while reading: status $got, $(cat .out .err)"
  exec 6>&-
  rm -f .silent
}

test_wrong_use() {
  local words
  for words in '--concurrency 0' '--per-host-rate x' '--timeout' '--what' '-z' '--depth -1' '--serve . http://a/' '--serve-only --limit 1'; do
    # shellcheck disable=SC2086
    expect 2 "options: $words" "$binary" $words
    grep -q '^usage: crawler' .err || fail "options: $words: no usage"
    [ ! -s .out ] || fail "options: $words: output"
  done
  expect 2 'no such directory' "$binary" --serve nowhere
  grep -q 'nowhere: No such file or directory' .err || fail "no such directory: $(cat .err)"
  expect 2 'a file to serve' "$binary" --serve known/a.html
  expect 0 help "$binary" --help
  grep -q '^usage: ' .out || fail 'help: no usage'
  got=0
  "$binary" --serve known >/dev/full 2>.err || got=$?
  [ "$got" -eq 1 ] || fail "full device: status $got, $(cat .err)"
}

test_progress() {
  command -v script >/dev/null || { echo 'skipped: progress (no script command)' >&2; return; }
  expect 0 progress script -qec "'$binary' --serve wide --per-host-rate 250 >.report" .terminal
  grep -q 'pages, 0 broken links, 0 failures, .*in flight, .*waiting' .terminal || fail 'progress: none on a terminal'
  grep -qx 'pages: 301' .report || fail "progress: $(cat .report)"
}

# The distribution's own documents: the same pages every time, and nothing fails, whatever links are broken.
test_documents() {
  [ -n "$(find /usr/share/doc -name '*.html' -print -quit 2>/dev/null)" ] || { echo 'skipped: documents (none here)' >&2; return; }
  local first
  found() { grep -E '^(pages|broken links|failures|redirects|bytes): ' .out; }
  expect 0 'documents' "$binary"
  grep -qx 'failures: 0' .out || fail "documents: $(cat .out .err)"
  first=$(found)
  expect 0 'documents, 64 at a time' "$binary" --concurrency 64
  [ "$(found)" = "$first" ] && ! grep -qvE '^(serving|[a-z/ ]+:) ' .out || fail "documents: not the same twice: $first, $(cat .out)"
}

make_known_site
test_known_site
test_broken_links
test_folders_and_depth
test_url_lists
test_timeout
test_signal INT 130
test_signal TERM 143
test_wrong_use
test_progress
test_documents

[ "$failures" -eq 0 ] && echo "crawler: all as expected"
exit $((failures > 0))
