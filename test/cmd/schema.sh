#!/bin/sh
# `hypha schema export`: from a file, from a module, and from the modules beside the program.
. "$(dirname "$0")/check.sh"
db=$work/bank.db
expect 0 "$folder/bank_store" "$db"

for format in proto ts sql json; do
    expect 0 "$hypha" schema export --format $format "$db"
    cp "$work/out" "$work/$format.file"
    expect 0 "$hypha" schema export --format=$format --machine "$folder/bank.so"
    cmp -s "$work/out" "$work/$format.file" || fail "$format: file and module say different things"
done
grep -q 'package bank;' "$work/proto.file" || fail "the package is the machine's name"
grep -q 'message bank_transfer' "$work/proto.file" || grep -q 'message BankTransfer' \
    "$work/proto.file" || fail "a message for each record"
grep -q 'CREATE TABLE "account"' "$work/sql.file" || fail "a table for each table"
python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$work/json.file" || fail "no JSON"

if command -v protoc >/dev/null; then
    protoc -I "$work" --descriptor_set_out="$work/set" "$work/proto.file" || fail "protoc refuses"
fi
if command -v sqlite3 >/dev/null; then # the SQL is what the store has
    sqlite3 "$work/made.db" <"$work/sql.file" || fail "sqlite3 refuses"
    columns="select m.name, c.name, c.type, c.pk from sqlite_master m, pragma_table_info(m.name) c
             where m.type = 'table' and m.name in ('account', 'payout', 'total') order by 1, c.cid"
    sqlite3 "$work/made.db" "$columns" >"$work/made"
    sqlite3 "$db" "$columns" >"$work/stored"
    cmp -s "$work/made" "$work/stored" || fail "the exported tables are not the stored ones"
fi

expect 2 "$hypha" schema export "$db"
complains "--format"
expect 2 "$hypha" schema import
expect 2 "$hypha" schema export --format ts "$db" --machine "$folder/bank.so"
expect 1 "$hypha" schema export --format ts --machine "$db"
complains "bank.db"
done_checking
