// said.c - reading it.
//
// The provider is somebody else's program: members that we do not know are its own business, and a
// body that is not whole, or says a thing in a way we do not know, says nothing. Nothing is decided
// on a guess: what is unclear is asked again.

#include "server/said.h"

#include <string.h>

#include "base/json.h"

static said_what said_what_of(const hyi_json_token *token) {
    static const struct {
        const char *text;
        said_what said;
    } words[] = { { "held", SAID_HELD },
                  { "declined", SAID_DECLINED },
                  { "captured", SAID_CAPTURED },
                  { "released", SAID_RELEASED } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (hyi_json_text_is(token, hy_bytes_of(words[i].text))) return words[i].said;
    }
    return SAID_UNCLEAR;
}

static void said_take_key(const hyi_json_token *token, char out_key[CLINIC_HOLD_TEXT_MAX]) {
    if (token->is_escaped || token->raw.len >= CLINIC_HOLD_TEXT_MAX) return;
    memcpy(out_key, token->raw.ptr, token->raw.len);
    out_key[token->raw.len] = 0;
}

// After a name that we know: its value, where that is a text. False: the document is broken.
static bool said_text(hyi_json *json, hyi_json_token *out_token, bool *out_is_text) {
    hyi_json before = *json;
    if (hyi_json_next(json, out_token) != HY_OK) return false;
    *out_is_text = out_token->kind == HYI_JSON_TEXT;
    if (*out_is_text) return true;
    *json = before; // a number, an object ...: passed over whole
    return hyi_json_skip(json) == HY_OK;
}

said_what said_read(hy_bytes body, char out_key[CLINIC_HOLD_TEXT_MAX]) {
    said_what said = SAID_UNCLEAR;
    hyi_json json;
    hyi_json_token token = { 0 };
    char key[CLINIC_HOLD_TEXT_MAX] = "";
    if (out_key != NULL) out_key[0] = 0;
    hyi_json_init(&json, body, 0, NULL);
    if (hyi_json_next(&json, &token) != HY_OK || token.kind != HYI_JSON_OBJECT_BEGIN) return said;
    while (hyi_json_next(&json, &token) == HY_OK) {
        if (token.kind == HYI_JSON_OBJECT_END) {
            bool whole = hyi_json_next(&json, &token) == HY_OK && token.kind == HYI_JSON_END;
            if (whole && out_key != NULL) memcpy(out_key, key, sizeof key);
            return whole ? said : SAID_UNCLEAR;
        }
        bool is_status = hyi_json_text_is(&token, HY_BYTES("status"));
        bool is_key = hyi_json_text_is(&token, HY_BYTES("key"));
        bool is_text = false;
        if (!said_text(&json, &token, &is_text)) break;
        if (is_status) said = is_text ? said_what_of(&token) : SAID_UNCLEAR;
        if (is_key && is_text) said_take_key(&token, key);
    }
    return SAID_UNCLEAR;
}
