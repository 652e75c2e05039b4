#!/usr/bin/env bash
# Compiles every ```cpp block of ROOT/README.md and ROOT/docs: tests/docs/snippets.sh ROOT COMPILER [flags...]
#
# A block with `int main` is a program and a unit of its own. All other blocks share one unit, each in a namespace that
# uses spool's and the chrono literals: as it stands if it defines something at namespace scope, else as a function's body.
# `{ ... }` stands for a body left out. What a reader need not see stands in a comment before the block:
#   <!-- snippet: struct job {}; channel<job> jobs; -->
# and goes before it; lines of it that are #includes go to the top. Errors name the line of the document.
set -euo pipefail

root=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t documents < <(cd "$root" && find README.md docs -name '*.md' | LC_ALL=C sort)

# shellcheck disable=SC2016
split='
function dedented(line) { return substr(line, 1, indent) ~ /^ *$/ ? substr(line, indent + 1) : line }

function emit(text, where) { body = body "#line " where " \"" FILENAME "\"\n" text }

function finish(   file) {
  ++blocks
  if (program) {
    file = sprintf("%s/program_%d.cpp", work, ++programs)
    printf "%s#line %d \"%s\"\n%s", hidden_includes hidden, start, FILENAME, includes_in_place > file
    close(file)
  } else {
    includes = includes hidden_includes own_includes
    body = body "namespace snippet_" blocks " {\nusing namespace spool;\nusing namespace std::chrono_literals;\n"
    if (hidden != "") emit(hidden, hidden_start)
    if (!definitions) body = body "[[maybe_unused]] void snippet() {\n"
    emit(code (definitions ? "}\n" : "}\n}\n"), start)
  }
  hidden = hidden_includes = ""
}

function keep_hidden(line) {
  if (line ~ /^ *#include/) { hidden_includes = hidden_includes line "\n"; line = "" }
  hidden = hidden line "\n"
}

# Something at namespace scope: a type, a template, a namespace, or a function with its body.
function is_definition(line) {
  if (line ~ /^(template|struct|class|enum|namespace)[ <]/) return 1
  if (line ~ /^(if|for|while|switch|else|return|do|auto)[ (]/) return 0
  return line ~ /^[A-Za-z_][A-Za-z0-9_:<>,&*]*( [A-Za-z0-9_:<>,&*]+)* [*&]?[A-Za-z_][A-Za-z0-9_]*\([^=]*\)( noexcept)? \{/
}

FNR == 1 { hidden = hidden_includes = ""; in_hidden = in_block = 0 }

in_block && /^ *```/ { in_block = 0; finish(); next }
in_block {
  line = dedented($0)
  gsub(/\{ \.\.\. \}/, "{}", line)
  if (line ~ /(^| )int main\(/) program = 1
  if (is_definition(line)) definitions = 1
  includes_in_place = includes_in_place line "\n"
  if (line ~ /^ *#include/) { own_includes = own_includes line "\n"; line = "" }
  code = code line "\n"
  next
}
in_hidden && /-->/ { sub(/ *-->.*/, ""); keep_hidden($0); in_hidden = 0; next }
in_hidden { keep_hidden($0); next }
/^ *<!-- snippet:/ {
  sub(/^ *<!-- snippet: */, "")
  hidden_start = FNR
  in_hidden = !sub(/ *-->.*/, "")
  keep_hidden($0)
  next
}
/^ *```cpp *$/ {
  match($0, /^ */); indent = RLENGTH
  in_block = 1; program = definitions = 0; start = FNR + 1
  code = includes_in_place = own_includes = ""
}

END {
  file = work "/fragments.cpp"
  printf "%s#include <spool/spool.hpp>\n#include <chrono>\n%s", includes, body > file
  printf "%d %d\n", blocks, programs
}
'
read -r blocks programs < <(cd "$root" && awk -v work="$work" "$split" "${documents[@]}")
if ((blocks == 0)); then
  echo "no cpp block in README.md or docs" >&2
  exit 2
fi

failed=0
for unit in "$work"/*.cpp; do
  "$@" -fsyntax-only -Wall -Wextra -Werror -Wno-unused -Werror=unused-result -Wno-unused-parameter \
    -I"$root/include" "$unit" || failed=1
done
((failed == 0)) || exit 1
echo "$blocks blocks of ${#documents[@]} documents compile, $programs of them programs"
