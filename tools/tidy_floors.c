// tidy_floors.c - the dictionary of includes, held against every #include and every call.
//
// The dictionary (tools/floors.txt) is read first and checked itself: a room may only name rooms
// that stand in lines above its own, so no cycle can be written down. Then every include of every C
// file is looked up. Includes are room-qualified, so the room is the first part of the name.
#include "tidy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOORS_FILE "tools/floors.txt"
#define FLOORS_RULES_MAX 128

// One line of the dictionary: kind, the names before the colon, the names after it. Each list is
// kept with a blank before and after every name, so that looking up is strstr.
typedef struct floors_rule {
    char kind[16];
    char names[256];
    char rooms[256];
} floors_rule;

typedef struct floors_book {
    floors_rule rules[FLOORS_RULES_MAX];
    size_t count;
} floors_book;

static void floors_file(const floors_book *book, const tidy_file *file);
static void floors_dead_headers(const tidy_tree *tree);

// ---- the dictionary ---------------------------------------------------------------------------

static bool floors_has(const char *list, const char *name) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, " %s ", name);
    return strstr(list, wanted) != NULL;
}

static const floors_rule *floors_rule_of(const floors_book *book, const char *kind,
                                         const char *name) {
    for (size_t i = 0; i < book->count; i++) {
        const floors_rule *rule = &book->rules[i];
        bool matches = strcmp(rule->kind, kind) == 0;
        if (matches && (name == NULL || floors_has(rule->names, name))) return rule;
    }
    return NULL;
}

static void floors_check_order(const floors_book *book, const floors_rule *rule, size_t line) {
    char rooms[256];
    snprintf(rooms, sizeof rooms, "%s", rule->rooms);
    char *rest = NULL;
    for (char *room = strtok_r(rooms, " ", &rest); room != NULL;
         room = strtok_r(NULL, " ", &rest)) {
        if (floors_rule_of(book, "room", room) != NULL) continue;
        tidy_say(FLOORS_FILE, line, "the room %s must stand in a line above: arrows go up only",
                 room);
    }
}

static void floors_parse(floors_book *book, const char *text, size_t line) {
    const char *colon = strchr(text, ':');
    const char *blank = strpbrk(text, " :");
    if (colon == NULL || book->count == FLOORS_RULES_MAX) {
        tidy_say(FLOORS_FILE, line, "not a rule: it has no colon, or there are too many");
        return;
    }
    floors_rule rule = { 0 };
    snprintf(rule.kind, sizeof rule.kind, "%.*s", (int)(blank - text), text);
    snprintf(rule.names, sizeof rule.names, " %.*s ", (int)(colon - blank),
             blank < colon ? blank + 1 : "");
    char *end = strchr(rule.names, ':');
    if (end != NULL) *end = ' ';
    snprintf(rule.rooms, sizeof rule.rooms, " %s ", colon + 1 + strspn(colon + 1, " "));
    if (strcmp(rule.kind, "room") == 0) floors_check_order(book, &rule, line);
    book->rules[book->count++] = rule;
}

static bool floors_read(const tidy_tree *tree, floors_book *book) {
    const tidy_file *file = tidy_find(tree, FLOORS_FILE);
    if (file == NULL) {
        tidy_say(FLOORS_FILE, 0, "the dictionary of includes is not there");
        return false;
    }
    for (size_t i = 0; i < file->line_count; i++) {
        const char *line = file->lines[i];
        if (line[0] != '\0' && line[0] != '#') floors_parse(book, line, i + 1);
    }
    return true;
}

void tidy_floors(const tidy_tree *tree) {
    static floors_book book;
    if (!floors_read(tree, &book)) return;
    for (size_t i = 0; i < tree->count; i++) {
        if (tidy_is_c(tree->files[i].path)) floors_file(&book, &tree->files[i]);
    }
    floors_dead_headers(tree);
}

// ---- one file ---------------------------------------------------------------------------------

// Where a file stands: src/net/x.c -> room net; include/hypha/net.h -> room net; cmd/x.c -> place.
typedef struct floors_seat {
    char name[64];
    bool in_src;
    const floors_rule *rule;
} floors_seat;

static floors_seat floors_seat_of(const floors_book *book, const char *path) {
    floors_seat seat = { 0 };
    if (tidy_starts(path, "include/hypha/")) {
        const char *name = path + strlen("include/hypha/");
        snprintf(seat.name, sizeof seat.name, "%.*s", (int)strcspn(name, "."), name);
        seat.in_src = true;
    } else if (tidy_starts(path, "src/")) {
        snprintf(seat.name, sizeof seat.name, "%.*s", (int)strcspn(path + 4, "/"), path + 4);
        seat.in_src = true;
    } else {
        snprintf(seat.name, sizeof seat.name, "%.*s", (int)strcspn(path, "/"), path);
    }
    seat.rule = floors_rule_of(book, seat.in_src ? "room" : "place", seat.name);
    return seat;
}

static bool floors_pure(const floors_book *book, const floors_seat *seat) {
    const floors_rule *pure = floors_rule_of(book, "pure", NULL);
    return seat->in_src && pure != NULL && floors_has(pure->rooms, seat->name);
}

static void floors_system(const floors_book *book, const floors_seat *seat, const tidy_file *file,
                          size_t line, const char *header) {
    const floors_rule *rule = floors_rule_of(book, "header", header);
    bool rules_apply = seat->in_src && !tidy_is_test(file->path);
    if (rules_apply && rule != NULL && !floors_has(rule->rooms, seat->name)) {
        tidy_say(file->path, line, "<%s> belongs to:%s", header, rule->rooms);
    }
    const floors_rule *harmless = floors_rule_of(book, "pure-headers", NULL);
    if (!rules_apply || !floors_pure(book, seat)) return;
    if (harmless == NULL || floors_has(harmless->rooms, header)) return;
    bool is_string = strcmp(header, "string.h") == 0;
    tidy_say(file->path, line, "a pure room includes <%s>%s", header,
             is_string ? "; use \"base/memory.h\"" : "; it may know no operating system");
}

static void floors_room(const floors_seat *seat, const tidy_file *file, size_t line,
                        const char *room) {
    if (seat->rule == NULL) return;
    if (strcmp(room, seat->name) == 0 || floors_has(seat->rule->rooms, "*")) return;
    if (strcmp(room, "kit") == 0 && tidy_is_test(file->path)) return;
    if (floors_has(seat->rule->rooms, room)) return;
    tidy_say(file->path, line, "%s may not include %s; it may include:%s(" FLOORS_FILE ")",
             seat->name, room, seat->rule->rooms);
}

static void floors_quoted(const floors_book *book, const floors_seat *seat, const tidy_file *file,
                          size_t line, const char *header) {
    const char *slash = strchr(header, '/');
    char room[64];
    if (strstr(header, "..") != NULL || header[0] == '.') {
        tidy_say(file->path, line, "\"%s\": includes start at the room, never with a dot", header);
        return;
    }
    if (slash == NULL) {
        if (!seat->in_src) return; // small folders outside src/ include their neighbours
        tidy_say(file->path, line, "\"%s\": name the room: \"%s/%s\"", header, seat->name, header);
        return;
    }
    snprintf(room, sizeof room, "%.*s", (int)(slash - header), header);
    bool known = floors_rule_of(book, "room", room) != NULL || strcmp(room, "kit") == 0;
    if (known) floors_room(seat, file, line, room);
    if (!known && seat->in_src) tidy_say(file->path, line, "\"%s\": there is no such room", header);
}

static void floors_include(const floors_book *book, const floors_seat *seat, const tidy_file *file,
                           size_t line, const char *at) {
    char header[128];
    while (*at == ' ') {
        at++;
    }
    char close = *at == '<' ? '>' : '"';
    const char *end = *at == '\0' ? NULL : strchr(at + 1, close);
    if (end == NULL) return; // the name of a macro
    snprintf(header, sizeof header, "%.*s", (int)(end - at - 1), at + 1);
    if (close == '"') {
        floors_quoted(book, seat, file, line, header);
    } else if (tidy_starts(header, "hypha/")) {
        char room[64];
        snprintf(room, sizeof room, "%.*s", (int)strcspn(header + 6, "."), header + 6);
        floors_room(seat, file, line, room);
    } else {
        floors_system(book, seat, file, line, header);
    }
}

// ---- calls ------------------------------------------------------------------------------------

static bool floors_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '>' || c == '.';
}

static bool floors_calls(const char *code, const char *name) {
    size_t len = strlen(name);
    for (const char *at = strstr(code, name); at != NULL; at = strstr(at + 1, name)) {
        bool starts = at == code || !floors_word(at[-1]);
        if (starts && at[len] == '(') return true;
    }
    return false;
}

static void floors_call(const floors_book *book, const floors_seat *seat, const tidy_file *file,
                        size_t line, const char *code) {
    for (size_t i = 0; i < book->count; i++) {
        const floors_rule *rule = &book->rules[i];
        if (strcmp(rule->kind, "call") != 0 || floors_has(rule->rooms, seat->name)) continue;
        char names[256];
        snprintf(names, sizeof names, "%s", rule->names);
        char *rest = NULL;
        for (char *name = strtok_r(names, " ", &rest); name != NULL;
             name = strtok_r(NULL, " ", &rest)) {
            if (!floors_calls(code, name)) continue;
            bool nobody = strspn(rule->rooms, " ") == strlen(rule->rooms);
            tidy_say(file->path, line, "%s() is for:%s(" FLOORS_FILE ")", name,
                     nobody ? " nobody in src/ " : rule->rooms);
        }
    }
}

static void floors_file(const floors_book *book, const tidy_file *file) {
    floors_seat seat = floors_seat_of(book, file->path);
    if (seat.rule == NULL) {
        tidy_say(file->path, 0, "%s is not in the dictionary " FLOORS_FILE, seat.name);
    }
    for (size_t i = 0; i < file->line_count; i++) {
        const char *line = file->lines[i];
        if (tidy_starts(line, "#include")) {
            floors_include(book, &seat, file, i + 1, line + strlen("#include"));
        } else if (seat.in_src && !tidy_is_test(file->path)) {
            floors_call(book, &seat, file, i + 1, file->code[i]);
        }
    }
}

// ---- headers that nobody includes -------------------------------------------------------------

static bool floors_included(const tidy_tree *tree, const tidy_file *header) {
    char wanted[256];
    snprintf(wanted, sizeof wanted, "#include \"%s\"", header->path + strlen("src/"));
    for (size_t i = 0; i < tree->count; i++) {
        if (tidy_is_c(tree->files[i].path) && strstr(tree->files[i].text, wanted) != NULL) {
            return true;
        }
    }
    return false;
}

static void floors_dead_headers(const tidy_tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        const tidy_file *file = &tree->files[i];
        if (!tidy_starts(file->path, "src/") || !tidy_ends(file->path, ".h")) continue;
        if (!floors_included(tree, file)) tidy_say(file->path, 0, "nobody includes this header");
    }
}
