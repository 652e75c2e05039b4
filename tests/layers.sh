#!/usr/bin/env bash
# Checks who may include whom below the given tree. Prints each breach; exits 1 if there is one.
#   - a file in include/spool/<layer> or src/<layer> includes its own folder or lower layers only
#   - Boost.Fiber and Boost.Context are included in src/runtime only
#   - thread_local stands in src/runtime/thread_state.[ch]pp only (the header names it for SPOOL_WITHOUT_TLS_BARRIER)
set -euo pipefail

cd "$1"
# shellcheck disable=SC2016
check='
function breach(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; found = 1 }

function layer_of(path) {
  sub(/^include\//, "", path); sub(/^src\//, "", path)
  if (path == "spool/spool.hpp") return "umbrella"
  sub(/^spool\//, "", path)
  if (path !~ /\//) return ""
  sub(/\/.*/, "", path)
  return path
}

# Takes comments out of a line; in_comment carries over lines.
function code_of(line,   out, at, c) {
  out = ""
  while (line != "") {
    if (in_comment) {
      at = index(line, "*/")
      if (!at) return out
      line = substr(line, at + 2); in_comment = 0
      continue
    }
    at = match(line, /\/[\/*]/)
    if (!at) return out line
    c = substr(line, at + 1, 1)
    out = out substr(line, 1, at - 1)
    if (c == "/") return out
    line = substr(line, at + 2); in_comment = 1
  }
  return out
}

function check_include(name, quoted,   target) {
  if (name ~ /^boost\/(fiber|context)[\/.]/ && FILENAME !~ /^src\/runtime\//)
    breach("includes " name ", which only src/runtime may")
  target = layer_of(name)
  if (name !~ /^spool\// && !(quoted && target in lower)) return   # a system header, or a file of its own folder
  if (layer == "umbrella" || target == layer) return
  if (target == "umbrella") breach("includes the umbrella header")
  else if (!(target in lower)) breach("includes " name ", which is in no layer")
  else if (index(" " lower[layer] " ", " " target " ") == 0) breach(layer " includes " name ", which is not below it")
}

BEGIN {
  lower["base"] = ""
  lower["runtime"] = "base"
  lower["context"] = lower["runtime"] " runtime"
  lower["testing"] = lower["runtime"] " runtime"
  lower["sync"] = lower["context"] " context"
  lower["channel"] = lower["sync"] " sync"
  lower["group"] = lower["resilience"] = lower["channel"] " channel"
  lower["pool"] = lower["group"] " group"
  lower["pipeline"] = lower["pool"] " pool"
  lower["observe"] = lower["net"] = lower["pipeline"] " pipeline resilience"
}

FNR == 1 {
  in_comment = 0
  layer = layer_of(FILENAME)
  if (layer != "umbrella" && !(layer in lower)) breach("is in no layer")
}

{
  code = code_of($0)
  if (code ~ /(^|[^A-Za-z0-9_])(thread_local|__thread)([^A-Za-z0-9_]|$)/ && FILENAME !~ /^src\/runtime\/thread_state\.[ch]pp$/)
    breach("has a thread_local, which only src/runtime/thread_state.[ch]pp may")
  if (code ~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) {
    name = code
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
    quoted = substr(name, 1, 1) == "\""
    name = substr(name, 2)
    sub(/[>"].*/, "", name)
    check_include(name, quoted)
  }
}

END { exit found }
'

mapfile -t files < <(find include src -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.ipp' -o -name '*.h' -o -name '*.S' \) | sort)
if ((${#files[@]} == 0)); then
  echo "no sources below $1" >&2
  exit 2
fi
awk "$check" "${files[@]}"
echo "${#files[@]} files keep to their layers"
