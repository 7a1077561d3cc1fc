"""hypha.py - fibers for gdb.

    (gdb) source tools/gdb/hypha.py
    (gdb) hypha fibers              all fibers of the process, by scope, with place and state
    (gdb) hypha fibers fetch        only those whose line has "fetch" in it
    (gdb) hypha fiber 12 bt         what fiber 12 was doing when it gave way

The fibers are found in the slabs of their control blocks (src/scope/fiber.c), so those that wait for
nothing that anybody remembers are shown too. A fiber that gave way has left two words on its stack,
where to go on and the frame pointer (src/scope/switch.h); with these as registers gdb unwinds it like
any other stack, and are put back. A core file's registers cannot be set: there only the list works.
Needs debug information of the library; x86-64 and aarch64.
"""
import gdb

STATES = {1: "ready", 2: "running", 3: "parked"}
CLASSES = {1: "16K", 2: "64K", 3: "256K"}
LINE = 64


def text(pointer):
    return pointer.string() if int(pointer) else ""


def roots():
    root = gdb.parse_and_eval("hyi_roots")
    while int(root):
        yield root
        root = root["next_root"]


def tasks(root):
    """All living tasks of a root."""
    place = gdb.lookup_type("fiber_place")
    task = gdb.lookup_type("struct hy_task").pointer()
    slab = root["task_slabs"]
    while int(slab):
        room = slab["room"]
        at = (int(room.address) + LINE - 1) // LINE * LINE
        end = int(room.address) + room.type.sizeof
        while at + place.sizeof <= end:
            one = gdb.Value(at).cast(task)
            if int(one["state"]) in STATES:
                yield one
            at += place.sizeof
        slab = slab["next"]


def path(scope):
    names = []
    while int(scope):
        names.append(text(scope["name"]))
        scope = scope["parent"]
    return " / ".join(reversed(names))


def place_of(task):
    place = task["place"]
    return "%s:%d" % (text(place["file"]), int(place["line"])) if int(place) else "?"


def state_of(task):
    state = STATES[int(task["state"])]
    if state == "parked" and int(task["wait"]):
        return "parked: " + (text(task["wait"]["what"]) or "?")
    if state == "ready" and not int(task["stack"]):
        return "ready, has not begun"
    return state


def find(number):
    for root in roots():
        for task in tasks(root):
            if int(task["number"]) == number:
                return task
    raise gdb.GdbError("there is no fiber %d: see `hypha fibers`" % number)


def registers(task):
    """Names and values that make the fiber's frame the selected one."""
    arch = gdb.selected_frame().architecture().name()
    word = gdb.lookup_type("unsigned long").pointer()
    sp = int(task["sp"])
    at = gdb.Value(sp).cast(word)
    pc, frame = int(at[0]), int(at[1])
    if "x86-64" in arch:
        skipped = int(gdb.parse_and_eval("hyi_switch_skipped"))
        return {"rsp": sp + 16 + skipped, "rbp": frame, "rip": pc}
    if "aarch64" in arch:
        return {"sp": sp + 16, "x29": frame, "pc": pc}
    raise gdb.GdbError("this processor's fibers cannot be unwound")


def backtrace(task, arguments):
    if STATES[int(task["state"])] == "running":
        gdb.execute("backtrace " + arguments)
        return
    if not int(task["stack"]):
        print("it has not begun: it will call %s" % task["fn"])
        return
    if gdb.selected_inferior().connection.type == "core":
        raise gdb.GdbError("stacks of fibers can only be shown of a process, not of a core file")
    gdb.newest_frame().select()
    wanted = registers(task)
    kept = {name: int(gdb.parse_and_eval("(unsigned long)$" + name)) for name in wanted}
    for name, value in wanted.items():
        gdb.execute("set $%s = %d" % (name, value))
    try:
        gdb.execute("backtrace " + arguments)
    finally:
        gdb.newest_frame().select()
        for name, value in kept.items():
            gdb.execute("set $%s = %d" % (name, value))


class Hypha(gdb.Command):
    """Fibers and scopes of Hypha: hypha fibers [TEXT], hypha fiber NUMBER bt."""

    def __init__(self):
        super().__init__("hypha", gdb.COMMAND_STACK, prefix=True)


class Fibers(gdb.Command):
    """hypha fibers [TEXT]: lists all fibers by scope; only lines with TEXT in them."""

    def __init__(self):
        super().__init__("hypha fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for root in roots():
            by_scope = {}
            for task in tasks(root):
                scope = task["owner"] if int(task["owner"]) else root["scope"]
                line = "  %6d  %-20s %-5s %-24s %s" % (
                    int(task["number"]), text(task["name"]) or "-", CLASSES[int(task["stack_class"])],
                    state_of(task), place_of(task))
                if not argument or argument in line:
                    by_scope.setdefault(path(scope), []).append((int(task["number"]), line))
            for name in sorted(by_scope):
                print(name)
                for _, line in sorted(by_scope[name]):
                    print(line)


class Fiber(gdb.Command):
    """hypha fiber NUMBER [bt [what backtrace takes]]: the stack of one fiber."""

    def __init__(self):
        super().__init__("hypha fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 2)
        if not words or not words[0].isdigit() or (len(words) > 1 and words[1] != "bt"):
            raise gdb.GdbError("hypha fiber NUMBER bt")
        backtrace(find(int(words[0])), words[2] if len(words) > 2 else "")


Hypha()
Fibers()
Fiber()
