# check.sh - what the scripts of this folder share. Sourced with: HYPHA FOLDER.
set -u
hypha=$1
folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
    echo "not so: $*"
    failures=$((failures + 1))
}

# expect CODE COMMAND...: runs it; what it said is in $work/out and $work/err.
expect() {
    wanted=$1
    shift
    "$@" >"$work/out" 2>"$work/err"
    code=$?
    if [ "$code" != "$wanted" ]; then
        fail "exit code $code instead of $wanted: $*"
        cat "$work/out" "$work/err"
    fi
}

# says TEXT, complains TEXT: it is somewhere in what the last command wrote to stdout, stderr.
says() {
    grep -qF -- "$1" "$work/out" || { fail "stdout lacks: $1"; cat "$work/out"; }
}
complains() {
    grep -qF -- "$1" "$work/err" || { fail "stderr lacks: $1"; cat "$work/err"; }
}

done_checking() {
    [ "$failures" = 0 ] && echo "all is well"
    exit "$((failures > 0))"
}
