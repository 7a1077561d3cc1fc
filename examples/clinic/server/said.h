// said.h - what the payment provider says about a hold.   Example: clinic, server. Includes: base.
//
// Its answers and its webhook have one form: a JSON object with "status" and the hold's key.
#ifndef EXAMPLE_CLINIC_SAID_H
#define EXAMPLE_CLINIC_SAID_H

#include "clinic.h"

typedef enum said_what {
    SAID_UNCLEAR, // nothing that we understand
    SAID_HELD,
    SAID_DECLINED,
    SAID_CAPTURED,
    SAID_RELEASED,
} said_what;

// Pure. `out_key` (NULL: not wanted) gets the member "key" where it could be one of ours, else "".
said_what said_read(hy_bytes body, char out_key[CLINIC_HOLD_TEXT_MAX]);

#endif
