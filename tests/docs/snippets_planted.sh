#!/usr/bin/env bash
# Plants faults in documents and sees that snippets.sh finds each: tests/docs/snippets_planted.sh ROOT COMPILER [flags...]
set -euo pipefail

root=$1
shift
here=$(dirname "${BASH_SOURCE[0]}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$root/include" "$work/include"

# check NAME pass|fail: what stands on stdin is the only document.
check() {
  rm -rf "$work/docs" "$work/README.md"
  mkdir -p "$work/docs/adr"
  echo "nothing" >"$work/README.md"
  cat >"$work/docs/adr/planted.md"
  local verdict=pass
  "$here/snippets.sh" "$work" "$@" >"$work/log" 2>&1 || verdict=fail
  if [[ $verdict != "$expected" ]]; then
    echo "$name: expected $expected, got $verdict" >&2
    cat "$work/log" >&2
    exit 1
  fi
}

name="a fragment" expected=pass check "$@" <<'EOF'
```cpp
channel<int> ch(1);
if (ch.send(1)) this_fiber::sleep_for(1ms);
```
EOF
name="a function that uses what is hidden, in a list" expected=pass check "$@" <<'EOF'
- item
  <!-- snippet:
  #include <vector>
  using numbers = std::vector<int>;
  -->
  ```cpp
  int first(const numbers& all) { return all.front(); }
  ```
EOF
name="a program" expected=pass check "$@" <<'EOF'
```cpp
#include <spool/spool.hpp>
int main() {
  return spool::run([] { return 0; });
}
```
EOF
name="a call that does not exist" expected=fail check "$@" <<'EOF'
```cpp
channel<int> ch(1);
ch.push(1);
```
EOF
grep -q 'planted.md:3' "$work/log" || { echo "the error does not name the document's line" >&2; exit 1; }
name="a result dropped" expected=fail check "$@" <<'EOF'
```cpp
channel<int>().send(1);
```
EOF
name="a program that lacks its include" expected=fail check "$@" <<'EOF'
```cpp
int main() {
  spool::run([] {});
}
```
EOF
name="no block at all" expected=fail check "$@" <<<"nothing"
echo "every planted fault was found"
