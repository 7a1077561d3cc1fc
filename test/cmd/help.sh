#!/bin/sh
# Help is everywhere, and a command line that makes no sense is answered with where to find it.
. "$(dirname "$0")/check.sh"

expect 0 "$hypha" --help
says "usage: hypha <command>"
expect 0 "$hypha" --version
says "hypha "
expect 2 "$hypha"
complains "usage: hypha"
expect 2 "$hypha" frobnicate
complains "there is no such command: frobnicate"
for command in inspect replay schema; do
    expect 0 "$hypha" $command --help
    says "usage: hypha $command"
    expect 0 "$hypha" help $command
    says "usage: hypha $command"
    expect 2 "$hypha" $command
    complains "hypha $command --help"
    expect 2 "$hypha" $command --nonsense
done
expect 2 "$hypha" inspect a.db b.db
complains "this was not expected: b.db"
expect 2 "$hypha" inspect a.db --rows
complains "this option needs a table: --rows"
expect 2 "$hypha" replay a.db
complains "--verify"
expect 2 "$hypha" schema export --format cobol --machine "$folder/bank.so"
complains "cobol"
done_checking
