#!/bin/sh
# `hypha inspect`: needs only the file, shows all of it, and may look while a service runs.
. "$(dirname "$0")/check.sh"
db=$work/bank.db
expect 0 "$folder/bank_store" "$db"

expect 0 "$hypha" inspect "$db"
says "machine bank, version 1"
says "seq       7"
says "7 steps in"
says "account                  3"
says "1  pay since seq"
says '{"account":1,"cents":30}'
says "timer reminded due 20"

expect 0 "$hypha" inspect "$db" --json
says '"machine":"bank","version":1,"seq":7'
says '"account":3'
says '"action":"pay","body":{"account":1,"cents":30}'
python3 -c 'import json,sys
for line in open(sys.argv[1]): json.loads(line)' "$work/out" || fail "no JSON"

expect 0 "$hypha" inspect "$db" --rows account
says '{"id":1,"cents":870,"owner":"Ada"'
says '"owner":"Böb"'
[ "$(wc -l <"$work/out")" = 3 ] || fail "three rows make three lines"
expect 0 "$hypha" inspect "$db" --rows=hy_ledger
[ "$(wc -l <"$work/out")" = 2 ] || fail "an action and a timer are pending"
expect 1 "$hypha" inspect "$db" --rows acount
complains "no table acount"

expect 0 "$hypha" inspect "$db" --journal
says 'open {"owner":"Ada","cents":1000}  -> HY_OK'
says 'key "open-ada"'
says "-> TOO_POOR"
[ "$(wc -l <"$work/out")" = 7 ] || fail "seven steps make seven lines"
expect 0 "$hypha" inspect "$db" --journal --json
says '"kind":"transfer","key":"t-1"'
says '"changes":[{"table":"account"'
python3 -c 'import json,sys
for line in open(sys.argv[1]): json.loads(line)' "$work/out" || fail "no JSON"

# While a service is on it: the journal's tail, which is in no table yet, is seen all the same.
running=$work/running.db
mkfifo "$work/in"
"$folder/bank_store" "$running" --stay <"$work/in" >"$work/said" &
service=$!
exec 3>"$work/in"
tries=0
until grep -q ready "$work/said" || [ $tries = 600 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
expect 0 "$hypha" inspect "$running"
says "seq       7"
says "account                  3"
exec 3>&-
wait $service || fail "the service was disturbed"

# Many machines of one kind, each under its key.
many=$work/many.db
expect 0 "$folder/bank_store" "$many" --many
expect 0 "$hypha" inspect "$many"
says "instances 100"
says "bank-00  seq 1"
says "..."
expect 0 "$hypha" inspect "$many" --instance bank-42
says "machine bank, instance bank-42, version 1"
says "account                  1"
expect 0 "$hypha" inspect "$many" --instance=bank-99 --rows account
[ "$(wc -l <"$work/out")" = 1 ] || fail "a row of another bank"
expect 0 "$hypha" inspect "$many" --instance bank-07 --journal
[ "$(wc -l <"$work/out")" = 1 ] || fail "a step of another bank"
expect 0 "$hypha" inspect "$many" --instance bank-07 --json
says '"machine":"bank","instance":"bank-07"'
expect 1 "$hypha" inspect "$many" --instance bank-100
complains "no machine of this key"

# Files that are none of ours, or not whole.
expect 1 "$hypha" inspect "$work/nothing.db"
complains "HY_NOT_FOUND"
[ -e "$work/nothing.db" ] && fail "looking made a file"
echo "this is a letter to my grandmother, and certainly no database" >"$work/letter.txt"
expect 1 "$hypha" inspect "$work/letter.txt"
complains "letter.txt"
head -c 5000 "$db" >"$work/half.db"
expect 1 "$hypha" inspect "$work/half.db"
complains "half.db"
done_checking
