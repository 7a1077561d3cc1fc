# checks.sh - what scripts/check can run. Sourced, never run: each check is a function check_<name>
# that starts at the root of the repository, prints what is wrong, and returns non-zero then.

export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}
export CTEST_OUTPUT_ON_FAILURE=1

# Seconds a check may take, where 300 is not right.
declare -A limit=([tests]=600 [asan]=480 [tsan]=300 [crash]=420 [browser]=360 [release]=400
    [fuzz]=$((300 + 20 * ${HY_FUZZ_SECONDS:-5})))

nothing_to_run=77 # a check that returns this counts neither way

sources() { # our C files
    find include src cmd examples bench test tools -name '*.[ch]' | sort
}

built() { # built preset [cmake --build arguments]: quiet unless it fails
    local preset=$1
    shift
    cmake --preset "$preset" >/dev/null && cmake --build --preset "$preset" "$@"
}

# tested preset [ctest arguments]: what does not build does not keep the rest from being tested.
tested() {
    local preset=$1 bad=0
    shift
    built "$preset" -- -k 0 || bad=1
    ctest --preset "$preset" "$@" || bad=1
    return $bad
}

# "passed failed" from the summary of ctest in a log; nothing when no ctest ran.
tests_counted() {
    sed -n 's/^.*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' "$1" |
        awk '{ failed += $1; passed += $2 - $1 } END { if (NR) print passed, failed }'
}

# What a reader needs of a failed log: the end, and before it the lines that say error or FAIL. Of a
# log of node's tests: each failed test's place, name and message, however long the others' are.
failure_shown() {
    grep -nE 'error:|FAILED|\*\*\*Failed|: panic:|ERROR: ' "$1" | head -20
    echo "..."
    node_failures "$1" || tail -40 "$1"
}

# Node ends with a section "failing tests", in which each begins with "test at FILE:LINE". Of a long
# one, which lists all that the browser tried, the places in our files remain. False when there is no
# such section.
node_failures() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        /^✖ failing tests:/ { found = 1 }
        /^test at / { lines = 0 }
        found && (lines++ < 20 || /^ +at .*\.mjs:/)
        END { exit !found }'
}

# ---- what `make test` runs -------------------------------------------------------------------

check_tests() {
    tested debug
}

hook() { # hook path: a test that is a program of its own; not there yet means nothing to run
    [ -x "$1" ] || return $nothing_to_run
    built debug && HYPHA_BUILD=$PWD/build/debug "$1"
}

check_crash() { hook test/crash/run; }
check_browser() { hook test/browser/run; }

# ---- the house -------------------------------------------------------------------------------

check_format() {
    local found
    found=$(sources | xargs clang-format --dry-run 2>&1 | sed -n 's/: warning: .*//p')
    [ -z "$found" ] && return 0
    echo "not as clang-format would write it; \`make format\` does it:"
    sort -t: -u -k1,1 <<<"$found"
    return 1
}

# Every header compiles alone, and the public ones also as C++.
check_headers() {
    local file bad=0 include flags
    flags=$(pkg-config --cflags libuv libwebsockets libcurl sqlite3 cmocka)
    while read -r file; do
        include=${file#src/} include=${include#test/} include=${include#include/}
        # shellcheck disable=SC2086
        echo "#include \"$include\"" | gcc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror \
            -fsyntax-only -Iinclude -Isrc -Itest -I. -Iexamples/clinic $flags -x c - || bad=1
    done < <(sources | grep '\.h$')
    while read -r file; do
        clang -x c++ -std=c++17 -Wall -Werror -Wno-unused-function -fsyntax-only \
            -Iinclude "$file" || bad=1
    done < <(sources | grep '^include/.*\.h$')
    return $bad
}

# The last three are the linker's: the table of addresses, and the two that every wasm file has.
allowed_outside='^(memcpy|memmove|memset|memcmp|hy_panic|_GLOBAL_OFFSET_TABLE_|__stack_pointer|__indirect_function_table)$'

undefined_in() { # undefined_in nm archive: what it wants from others
    comm -23 <("$1" -u "$2" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u) \
        <("$1" --defined-only "$2" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
}

pure_symbols() { # pure_symbols nm archive
    local strange
    strange=$(undefined_in "$1" "$2" | grep -vE "$allowed_outside")
    [ -z "$strange" ] && return 0
    echo "$2: the pure rooms may ask for memcpy memmove memset memcmp hy_panic, and ask for:"
    "$1" -A -u "$2" 2>/dev/null | grep -wF "$strange"
    return 1
}

check_purity() {
    local archive=build/debug/libhypha_pure.a bad=0 found
    built debug --target hypha_pure || return 1
    pure_symbols nm $archive || bad=1
    # .data.rel.ro holds const tables of pointers: written by the loader, never by us.
    found=$(objdump -t $archive | awk '/\.o:/ { member = $1 }
        $0 ~ /[ \t](\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $0 !~ /\.data\.rel\.ro/ &&
        $0 !~ / d  / && $NF !~ /^\./ { print member, $NF }')
    [ -z "$found" ] || { echo "static variables that change in pure rooms:" "$found"; bad=1; }
    [ "$(uname -m)" = x86_64 ] || return $bad
    found=$(objdump -d --no-show-raw-insn $archive | awk '/^[0-9a-f]+ <.*>:$/ { name = $2 }
        $2 ~ /^v?((add|sub|mul|div|sqrt|min|max|u?comi|round)[sp][sd]|cvt.*)$/ { print name, $2 }' |
        sort | uniq -c)
    [ -z "$found" ] || { echo "float arithmetic in pure rooms:"; echo "$found"; bad=1; }
    return $bad
}

check_wasm() {
    built wasm && pure_symbols llvm-nm build/wasm/libhypha_pure.a
}

# The switch of fibers has an assembler for a processor that we do not have: each of these builds of
# a program around it is run by an emulator. Without frame pointers x29 is a register like others, and
# with +sve there are registers that the other builds do not know.
aarch64_builds=(
    "aarch64-linux-gnu-gcc -O0"
    "aarch64-linux-gnu-gcc -O2"
    "aarch64-linux-gnu-gcc -O3"
    "aarch64-linux-gnu-gcc -O2 -fomit-frame-pointer -mbranch-protection=standard"
    "aarch64-linux-gnu-gcc -O3 -march=armv8.2-a+sve"
    "clang --target=aarch64-linux-gnu -fuse-ld=lld -O2"
    "clang --target=aarch64-linux-gnu -fuse-ld=lld -O3 -march=armv8.2-a+sve"
)

aarch64_switch() { # aarch64_switch program compiler [options]: builds it and runs it
    local program=$1
    shift
    "$@" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion \
        -Wstrict-prototypes -Wmissing-prototypes -Werror -Iinclude -Isrc -static \
        test/house/aarch64_switch.c src/scope/switch.c -o "$program" &&
        (ulimit -c 0 && timeout 60 qemu-aarch64 -cpu max "$program")
}

check_aarch64() {
    local i tool jobs=() bad=0 dir=build/aarch64
    for tool in aarch64-linux-gnu-gcc clang qemu-aarch64; do
        command -v $tool >/dev/null || return $nothing_to_run
    done
    mkdir -p $dir
    for i in "${!aarch64_builds[@]}"; do
        # shellcheck disable=SC2086
        aarch64_switch "$dir/switch_$i" ${aarch64_builds[i]} >"$dir/switch_$i.log" 2>&1 &
        jobs+=($!)
    done
    for i in "${!aarch64_builds[@]}"; do
        wait "${jobs[i]}" || { echo "FAILED: ${aarch64_builds[i]}" && bad=1; }
        cat "$dir/switch_$i.log"
    done
    return $bad
}

# model_run dir [-DBREAK_x]: spin's verdict on the mailbox, "errors: N" among its words.
model_run() {
    local dir=$1
    shift
    mkdir -p "$dir"
    (cd "$dir" && spin "$@" -a "$OLDPWD/test/model/mailbox.pml" &&
        cc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c && ./pan -m100000 -w24)
}

# The protocol holds in every interleaving; and without any one of its rules it does not, so the
# model can tell.
check_model() {
    local rule dir=build/model bad=0
    command -v spin >/dev/null || return $nothing_to_run
    model_run $dir/whole | tee $dir.log | grep -v '^Depth'
    grep -q 'errors: 0$' $dir.log && ! grep -q 'max search depth too small' $dir.log || bad=1
    for rule in FIFO PARK ORDERS OLDEST; do
        model_run $dir/$rule -DBREAK_$rule >$dir.log
        grep -q 'errors: 1$' $dir.log || { echo "FAILED: not missed: $rule" && bad=1; }
    done
    return $bad
}

check_clang() { built fuzz; } # the preset `fuzz` builds everything with clang
check_release() { built release; }
check_paranoid() { tested paranoid -LE 'house|slow'; }
check_asan() { tested asan -LE 'house|slow'; }

# Threads are only in these rooms (a store is called from one thread at a time; the host's tests call
# it from workers). setarch: the sanitizer needs the address space it knows.
check_tsan() {
    local room targets=()
    for room in world scope flow observe actor broker host net; do
        compgen -G "src/$room/*_test.c" >/dev/null && targets+=("${room}_tests")
    done
    [ ${#targets[@]} -gt 0 ] || return $nothing_to_run
    built tsan --target "${targets[@]}" &&
        setarch -R ctest --preset tsan -L '^(world|scope|flow|observe|actor|broker|host|net)$' -LE 'slow|corpus'
}

# Every fuzz target for HY_FUZZ_SECONDS, from its corpus; findings and new inputs stay in build/.
check_fuzz() {
    local program name bad=0
    built fuzz || return 1
    for program in build/fuzz/fuzz/*_fuzz; do
        [ -x "$program" ] || continue
        name=$(basename "$program" _fuzz)
        mkdir -p "build/fuzz/corpus/$name" "build/fuzz/found"
        echo "--- $name"
        "$program" -max_total_time="${HY_FUZZ_SECONDS:-5}" -timeout=10 -print_final_stats=0 \
            -verbosity=0 -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" \
            $([ -d "test/corpus/$name" ] && echo "test/corpus/$name") && continue
        echo "to repeat: $program $(ls -t "build/fuzz/found/$name-"* | head -1)"
        bad=1
    done
    return $bad
}
