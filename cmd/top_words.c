// top_words.c - numbers as people read them, and lines that fit.
//
// A cell is one character: names are cut by characters, and wide ones (CJK) are not told apart,
// which can only make a line too long where somebody names actors so. Control characters, which a
// name could use to speak to the terminal, become question marks.
#include "top.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const words_styles[] = {
    [TOP_PLAIN] = "",           [TOP_SOFT] = "\033[2m",  [TOP_STRONG] = "\033[1m",
    [TOP_GOOD] = "\033[32m",    [TOP_WARN] = "\033[33m", [TOP_BAD] = "\033[1;31m",
    [TOP_TITLE] = "\033[1;36m",
};

// ---- lines ------------------------------------------------------------------------------------

void top_put_text(top_line *line, top_style style, hy_text text) {
    const bool styled = line->colour && style != TOP_PLAIN && text.len > 0;
    if (line->column >= line->width) return;
    if (styled) hy_buf_add_text(line->out, words_styles[style]);
    const bool is_text = hy_text_is_utf8(text);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.ptr[i];
        const bool begins = !is_text || (byte & 0xc0) != 0x80;
        if (begins && line->column >= line->width) break;
        if (begins) line->column++;
        const bool bad = byte < 0x20 || byte == 0x7f || (!is_text && byte > 0x7e);
        const bool is_c1 = is_text && byte == 0xc2 && i + 1 < text.len && text.ptr[i + 1] < 0xa0;
        if (is_c1) i++;
        hy_buf_add(line->out, bad || is_c1 ? (const uint8_t *)"?" : &byte, 1);
    }
    if (styled) hy_buf_add_text(line->out, "\033[0m");
}

void top_put(top_line *line, top_style style, const char *text) {
    top_put_text(line, style, hy_bytes_of(text));
}

void top_putf(top_line *line, top_style style, const char *format, ...) {
    char text[256];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    top_put(line, style, text);
}

void top_tab(top_line *line, uint32_t column) {
    do {
        top_put(line, TOP_PLAIN, " ");
    } while (line->column < column && line->column < line->width);
}

static uint32_t words_cells(const char *text) {
    uint32_t cells = 0;
    for (const char *at = text; *at != 0; at++)
        cells += ((uint8_t)*at & 0xc0) != 0x80;
    return cells;
}

void top_put_right(top_line *line, top_style style, uint32_t cells, const char *text) {
    for (uint32_t used = words_cells(text); used < cells; used++)
        top_put(line, TOP_PLAIN, " ");
    top_put(line, style, text);
}

void top_put_bar(top_line *line, top_style style, uint32_t cells, double part) {
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    if (!(part > 0)) part = 0;
    if (part > 1) part = 1;
    const uint32_t filled = (uint32_t)lround(part * cells * 8);
    for (uint32_t i = 0; i < cells; i++) {
        const uint32_t rest = filled > i * 8 ? filled - i * 8 : 0;
        if (line->ascii) {
            top_put(line, style, rest >= 4 ? "#" : ".");
        } else if (rest >= 8) {
            top_put(line, style, "█");
        } else {
            top_put(line, rest > 0 ? style : TOP_SOFT, rest > 0 ? eighths[rest] : "·");
        }
    }
}

void top_put_spark(top_line *line, const double *values, uint32_t count) {
    static const char *const steps[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char *const plain[] = { "_", "_", ".", ".", "-", "-", "=", "#" };
    double most = 0;
    for (uint32_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t step = most > 0 ? (uint32_t)lround(values[i] / most * 7) : 0;
        top_put(line, TOP_GOOD, line->ascii ? plain[step] : steps[step]);
    }
}

// ---- numbers ----------------------------------------------------------------------------------

static top_word words_grouped(uint64_t value) {
    char digits[24];
    top_word word = { "" };
    const int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) word.text[at++] = ',';
        word.text[at++] = digits[i];
    }
    return word;
}

static top_word words_scaled(double value, double base, const char *const *units, uint32_t last) {
    top_word word;
    uint32_t unit = 0;
    while (value >= base * (base == 1000 ? 0.9995 : 1) && unit < last) {
        value /= base;
        unit++;
    }
    const int digits = value >= 99.95 ? 0 : value >= 9.995 || base != 1000 ? 1 : 2;
    (void)snprintf(word.text, sizeof word.text, "%.*f %s", unit == 0 ? 0 : digits, value,
                   units[unit]);
    return word;
}

top_word top_count(double value) {
    static const char *const units[] = { "", "k", "M", "G", "T" };
    if (!(value > 0)) value = 0;
    return value < 9999.5 ? words_grouped((uint64_t)lround(value))
                          : words_scaled(value, 1000, units, 4);
}

top_word top_rate(double value) {
    top_word word;
    if (!(value > 0 && value < 9.95)) return top_count(value);
    (void)snprintf(word.text, sizeof word.text, "%.1f", value);
    return word;
}

top_word top_bytes(double value) {
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    return words_scaled(value > 0 ? value : 0, 1024, units, 4);
}

top_word top_duration(int64_t ns) {
    top_word word;
    const int64_t us = ns / 1000, s = ns / 1000000000;
    char *text = word.text;
    const size_t size = sizeof word.text;
    if (us < 1000) {
        (void)snprintf(text, size, "%lld us", (long long)us);
    } else if (s < 1) {
        (void)snprintf(text, size, "%lld ms", (long long)(us / 1000));
    } else if (s < 10) {
        (void)snprintf(text, size, "%.1f s", (double)us / 1e6);
    } else if (s < 60) {
        (void)snprintf(text, size, "%lld s", (long long)s);
    } else if (s < 3600) {
        (void)snprintf(text, size, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    } else if (s < 86400) {
        (void)snprintf(text, size, "%lld h %lld min", (long long)(s / 3600),
                       (long long)(s / 60 % 60));
    } else {
        (void)snprintf(text, size, "%lld d %lld h", (long long)(s / 86400),
                       (long long)(s / 3600 % 24));
    }
    return word;
}

top_word top_percent(double part) {
    top_word word;
    (void)snprintf(word.text, sizeof word.text, "%.0f %%", 100 * part);
    return word;
}

top_word top_clock(int64_t wall_ms) {
    top_word word;
    const int64_t s = wall_ms / 1000 % 86400;
    (void)snprintf(word.text, sizeof word.text, "%02d:%02d:%02d", (int)(s / 3600),
                   (int)(s / 60 % 60), (int)(s % 60));
    return word;
}
