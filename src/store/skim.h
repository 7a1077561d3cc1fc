// skim.h - what a checkpoint needs of a journal entry, without decoding it.   Room: store.
// Includes: machine. Threads: pure functions on what they are given. Ownership: all bytes are
// borrowed from the entry.
//
// A checkpoint looks at every entry but keeps only the last change of each row, so it must not pay
// for decoding inputs, replies and rows that it throws away. Skimming reads the three numbers it
// needs and walks the changes as bytes. Field numbers are those of HY_ENTRY and HY_ENTRY_CHANGE
// (hypha/machine.h).
#ifndef HYI_STORE_SKIM_H
#define HYI_STORE_SKIM_H

#include <hypha/machine.h>

typedef struct hyi_skim {
    uint64_t seq, digest, chain;
    hy_bytes changes; // from the first change on: hand it to hyi_skim_change
} hyi_skim;

// HY_CORRUPT if the bytes are not an entry (the caller has checked their CRC already).
HY_CHECKED hy_err hyi_skim_entry(hy_bytes entry, hyi_skim *out_skim, hy_why *why);

typedef struct hyi_skim_row {
    uint32_t table;
    bool gone;
    hy_bytes row; // wire form; only the key if it is gone
} hyi_skim_row;

// Takes the next change off `*rest`. HY_END, HY_CORRUPT.
HY_CHECKED hy_err hyi_skim_change(hy_bytes *rest, hyi_skim_row *out_row, hy_why *why);

// Which field numbers are the key of a table.
typedef struct hyi_skim_key {
    uint32_t count;
    uint32_t numbers[16];
} hyi_skim_key;
void hyi_skim_key_of(const hy_table *table, hyi_skim_key *out_key);

#define HYI_SKIM_KEY_BYTES                                                                         \
    256u // 16 fields of a tag and a varint, or 16 bytes of an id: always enough

// Copies the key fields of a row in wire form, as they stand there, and gives their length: equal
// keys give equal bytes, because the encoder is canonical. HY_CORRUPT.
HY_CHECKED hy_err hyi_skim_key_bytes(const hyi_skim_key *key, hy_bytes row,
                                     uint8_t out_bytes[HYI_SKIM_KEY_BYTES], size_t *out_len,
                                     hy_why *why);

#endif
