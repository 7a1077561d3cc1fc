// top_screen.c - the terminal, taken over and always given back.
//
// Keys are read from a description of the terminal of our own (/dev/tty), which alone is made
// non-blocking: the one that the shell gave us is shared with it. What is changed: the alternate
// screen, the cursor, echo and lines. What undoes it is one write and one tcsetattr, both allowed
// in a signal handler, so it also happens when a signal ends us; stopped by Ctrl-Z it is undone,
// and done again when we are continued.
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
    volatile sig_atomic_t is_open;
    int tty;
    struct termios before, raw;
    uint8_t keys[64];
    size_t key_count, key_at;
} screen = { .tty = -1 };

static const char screen_enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char screen_leave[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static void screen_write(const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    while (len > 0) {
        const ssize_t n = write(STDOUT_FILENO, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        at += n;
        len -= (size_t)n;
    }
}

static void screen_take(void) {
    (void)tcsetattr(screen.tty, TCSANOW, &screen.raw);
    screen_write(screen_enter, sizeof screen_enter - 1);
}

static void screen_give_back(void) {
    screen_write(screen_leave, sizeof screen_leave - 1);
    (void)tcsetattr(screen.tty, TCSANOW, &screen.before);
}

// Of those that end a process, and of Ctrl-Z. The default is what happens after it.
static void screen_on_signal(int number) {
    const int saved = errno;
    if (screen.is_open) screen_give_back();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    if (number == SIGTSTP) { // it is delivered when this handler returns
        sigset_t stop;
        (void)sigemptyset(&stop);
        (void)sigaddset(&stop, SIGTSTP);
        (void)sigprocmask(SIG_UNBLOCK, &stop, NULL); // here we stop, and go on
        (void)signal(SIGTSTP, screen_on_signal);
        if (screen.is_open) screen_take();
        (void)raise(SIGWINCH); // draws everything again
    }
    errno = saved;
}

bool top_screen_open(void) {
    static bool registered;
    if (!isatty(STDOUT_FILENO)) return false;
    screen.tty = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (screen.tty < 0) return false;
    if (tcgetattr(screen.tty, &screen.before) != 0) return false;
    screen.raw = screen.before;
    screen.raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    screen.raw.c_cc[VMIN] = 0;
    screen.raw.c_cc[VTIME] = 0;
    if (!registered) (void)atexit(top_screen_close);
    registered = true;
    static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGTSTP };
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        (void)signal(deadly[i], screen_on_signal);
    screen.is_open = 1;
    screen_take();
    return true;
}

void top_screen_close(void) {
    if (screen.is_open) screen_give_back();
    screen.is_open = 0;
    if (screen.tty >= 0) (void)close(screen.tty);
    screen.tty = -1;
}

int top_screen_keys(void) {
    return screen.tty;
}

void top_screen_size(uint32_t *out_width, uint32_t *out_height) {
    struct winsize size = { 0 };
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    *out_width = known && size.ws_col < 1000 ? size.ws_col : 80;
    *out_height = known && size.ws_row > 0 ? size.ws_row : 24;
}

// ---- keys -------------------------------------------------------------------------------------

static int screen_escape(void) {
    static const struct {
        const char *bytes;
        int key;
    } sequences[] = { { "[A", TOP_KEY_UP },       { "[B", TOP_KEY_DOWN },
                      { "OA", TOP_KEY_UP },       { "OB", TOP_KEY_DOWN },
                      { "[5~", TOP_KEY_PAGE_UP }, { "[6~", TOP_KEY_PAGE_DOWN },
                      { "[H", TOP_KEY_HOME },     { "[F", TOP_KEY_END },
                      { "[1~", TOP_KEY_HOME },    { "[4~", TOP_KEY_END } };
    const uint8_t *rest = screen.keys + screen.key_at;
    const size_t left = screen.key_count - screen.key_at;
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++) {
        const size_t len = strlen(sequences[i].bytes);
        if (left < len || memcmp(rest, sequences[i].bytes, len) != 0) continue;
        screen.key_at += len;
        return sequences[i].key;
    }
    screen.key_at = screen.key_count;
    return left > 0 ? TOP_KEY_OTHER : TOP_KEY_ESCAPE;
}

int top_screen_key(void) {
    if (screen.key_at == screen.key_count) {
        const ssize_t n = read(screen.tty, screen.keys, sizeof screen.keys);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return TOP_KEY_GONE;
        screen.key_at = 0;
        screen.key_count = n > 0 ? (size_t)n : 0;
        if (n <= 0) return TOP_KEY_NONE;
    }
    const uint8_t byte = screen.keys[screen.key_at++];
    return byte == 033 ? screen_escape() : byte;
}

// ---- drawing ----------------------------------------------------------------------------------

// Over what is there, line by line, so that nothing flickers.
void top_screen_show(const hy_buf *frame) {
    hy_buf out;
    hy_buf_init(&out, hy_mem_system(), 0);
    hy_buf_add_text(&out, "\033[H");
    for (size_t at = 0; at < frame->len;) {
        const uint8_t *end = memchr(frame->ptr + at, '\n', frame->len - at);
        const size_t len = end != NULL ? (size_t)(end - (frame->ptr + at)) : frame->len - at;
        hy_buf_add(&out, frame->ptr + at, len);
        hy_buf_add_text(&out, "\033[K");
        if (end != NULL) hy_buf_add_text(&out, "\r\n");
        at += len + (end != NULL);
    }
    hy_buf_add_text(&out, "\033[J");
    if (out.failed == HY_OK) screen_write(out.ptr, out.len);
    hy_buf_deinit(&out);
}
