# `hypha top` on a terminal: a pseudo-terminal of ours, and a server that answers with recorded
# snapshots. Nothing sleeps for a time: each step waits for what a person would see, with a limit.
#
#   top_terminal.py HYPHA FOLDER
import fcntl, http.server, os, pty, select, signal, struct, sys, termios, threading, time

hypha, folder = sys.argv[1], sys.argv[2]
frames = [open(os.path.join(folder, name), "rb").read() for name in ("busy_1.json", "busy_2.json")]
LIMIT = 30
failures = []


class Answers(http.server.BaseHTTPRequestHandler):
    asked = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = frames[min(Answers.asked, 1)]
        Answers.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()


class Terminal:
    def __init__(self, rows=30, columns=100, **environment):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(environment)
            os.environ.pop("LC_ALL", None)
            os.execv(hypha, [hypha, "top", "--port", str(server.server_port)])
        self.size(rows, columns)

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        if not select.select([self.fd], [], [], 0.2)[0]:
            return True
        try:
            part = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += part
        return bool(part)

    # Waits until it has shown `text` since the last wait.
    def until(self, text):
        end = time.monotonic() + LIMIT
        while text.encode() not in self.seen:
            if not self.read() or time.monotonic() > end:
                failures.append("never seen: " + text)
                return False
        self.seen = b""
        return True

    def press(self, keys):
        self.seen = b""
        os.write(self.fd, keys.encode())

    def end(self, expected):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        echoes = termios.tcgetattr(self.fd)[3] & termios.ECHO
        if b"\x1b[?1049l" not in self.seen or b"\x1b[?25h" not in self.seen:
            failures.append("the terminal was not given back")
        if not echoes:
            failures.append("the terminal does not echo any more")
        if not expected(status):
            failures.append("ended with status %d" % status)
        os.close(self.fd)


def left_well(status):
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


t = Terminal()
t.until("worker-3")
t.until("per s")  # the second frame: rates
t.press("s")
t.until("by rate")
t.press("/gate")
t.until("filter: gate_")
t.press("\r")
t.until("only gate")
t.press("\x1b")
t.until("worker-0")
t.press("p")
t.until("paused")
t.press("p\x1b[6~\x1b[6~\x1b[6~\x1b[6~")
t.until("report")  # the last line, of the scopes
t.press("\x1b[1~\r")  # the first line is a section: it folds
t.until("▸ ")
t.press("\r")
t.until("▾ ")
t.seen = b""
t.size(20, 60)
t.until("WORKERS")
t.press("q")
t.end(left_well)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    t = Terminal()
    t.until("worker-3")
    os.kill(t.pid, number)
    t.end(left_well)

t = Terminal()
t.until("worker-3")
os.kill(t.pid, signal.SIGABRT)
t.end(lambda status: os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT)

t = Terminal(NO_COLOR="1")
t.until("worker-3")
t.read()
if b"\x1b[32m" in t.seen or b"\x1b[1;31m" in t.seen:
    failures.append("NO_COLOR is set, and there are colours")
t.press("q")
t.end(left_well)

server.shutdown()
for failure in failures:
    print("not so: " + failure)
if not failures:
    print("all is well")
sys.exit(len(failures) > 0)
