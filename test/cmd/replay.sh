#!/bin/sh
# `hypha replay --verify`: meets every digest, or names the first step that differs and its rows.
. "$(dirname "$0")/check.sh"
db=$work/bank.db
expect 0 "$folder/bank_store" "$db"
before=$(cksum <"$db")

expect 0 "$hypha" replay "$db" --verify --machine "$folder/bank.so"
says "bank: 7 steps replayed up to seq 7, every digest met"

expect 1 "$hypha" replay --verify "$db" --machine="$folder/other.so"
says "seq 7 differs"
says '"table":"account","before":null,"stored":{"id":3,"cents":7,"owner":"Eve"}'
says '"stepped":{"id":3,"cents":6,"owner":"Eve"}'
complains "HY_NONDETERMINISTIC"
[ "$before" = "$(cksum <"$db")" ] || fail "replaying changed the file"

expect 1 "$hypha" replay "$db" --verify
complains "bank: the code of this machine is not in"
expect 1 "$hypha" replay "$db" --verify --machine "$work/none.so"
complains "none.so"
expect 1 "$hypha" replay "$work/none.db" --verify --machine "$folder/bank.so"
complains "HY_NOT_FOUND"

# Many machines of one kind: all of them, or one.
many=$work/many.db
expect 0 "$folder/bank_store" "$many" --many
expect 0 "$hypha" replay "$many" --verify --machine "$folder/bank.so"
says "bank [bank-42]: 1 steps replayed up to seq 1, every digest met"
[ "$(wc -l <"$work/out")" = 100 ] || fail "a hundred banks make a hundred lines"
expect 0 "$hypha" replay "$many" --verify --machine "$folder/bank.so" --instance bank-07
[ "$(wc -l <"$work/out")" = 1 ] || fail "more than one bank"
expect 1 "$hypha" replay "$many" --verify --machine "$folder/bank.so" --instance bank-100
complains "no machine of this key"

# A row that somebody changed by hand: the tables do not follow from the inputs any more.
if command -v sqlite3 >/dev/null; then
    sqlite3 "$db" "update account set cents = 1000000 where id = 1"
    expect 1 "$hypha" inspect "$db"
    complains "HY_CORRUPT"
fi
done_checking
