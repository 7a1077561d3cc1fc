#!/bin/sh
# `hypha top`: frames of recorded snapshots, to the letter; what it says when there is nothing to
# see; and the whole of it on a terminal (top_terminal.py).
#
# TOP_REWRITE=1 writes the frames instead; the difference is then reviewed like code.
. "$(dirname "$0")/check.sh"
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/../golden/top
unset LC_ALL LC_CTYPE LANG NO_COLOR

# frame NAME ARGUMENT...: what it prints is test/golden/top/NAME.
frame() {
    name=$1
    shift
    (cd "$here/top" && expect 0 "$hypha" top "$@" && cp "$work/out" "$work/frame")
    if [ -n "${TOP_REWRITE:-}" ]; then
        cp "$work/frame" "$golden/$name"
    elif ! diff -u "$golden/$name" "$work/frame"; then
        fail "the frame is not $name"
    fi
}
frame busy.txt --file busy_1.json --file busy_2.json --width 110
frame narrow.txt --file busy_1.json --file busy_2.json --width 64 --ascii
frame no_rates.txt --file busy_2.json --once
frame odd.txt --file odd.json
LC_ALL=C frame narrow.txt --file busy_1.json --file busy_2.json --width 64

expect 0 "$hypha" top --json --file "$here/top/odd.json"
cmp -s "$work/out" "$here/top/odd.json" || fail "--json changes nothing"
printf '\033' >"$work/escape"
expect 0 "$hypha" top --file "$here/top/odd.json"
grep -qF "$(cat "$work/escape")" "$work/out" && fail "a name speaks to the terminal, or a pipe has colours"

expect 0 "$hypha" top --help
says "usage: hypha top"
expect 0 "$hypha" help top
says "usage: hypha top"
expect 2 "$hypha" top --frobnicate
complains "this was not expected: --frobnicate"
expect 2 "$hypha" top --port 70000
complains "out of range"
expect 2 "$hypha" top --port
complains "needs a value"
expect 1 "$hypha" top --port 1 --once
complains "nothing answers there: start the program, or give its --port"
expect 1 "$hypha" top --port 1
complains "nothing answers there"
expect 1 "$hypha" top --file "$work/none.json"
complains "there is no such file"
echo '{"a": [1, 2' >"$work/half.json"
expect 1 "$hypha" top --file "$work/half.json"
complains "HY_MALFORMED"
echo '{"a": 1}' >"$work/other.json"
expect 1 "$hypha" top --file "$work/other.json"
complains "no snapshot of a Hypha program"
echo '{"hypha": "9", "format": 2}' >"$work/newer.json"
expect 1 "$hypha" top --file "$work/newer.json"
complains "a newer Hypha wrote this"

expect 0 python3 "$here/top_terminal.py" "$hypha" "$here/top"
says "all is well"
done_checking
