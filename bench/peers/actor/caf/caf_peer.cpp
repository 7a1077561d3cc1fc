// caf_peer.cpp - the rows of actor_bench with CAF's event-based actors.
//
// Which work a name stands for is in the table of bench/README.md. Debian has CAF 0.17. It has links
// and monitors but no supervisor, and a delayed message that was sent cannot be taken back: there is
// no `restart` and no `timer_churn` here. Its mailboxes have no bounds. An actor that nobody refers
// to ends by itself, so whoever wants a million idle ones keeps a million handles.
//
// Arguments: how many threads run actors; then the metrics, or all but the bytes.
#include <atomic>
#include <caf/all.hpp>
#include <cstring>
#include <deque>
#include <future>

#include "row.hpp"

using namespace caf;

using up = atom_constant<atom("up")>;
using go = atom_constant<atom("go")>;
using sum_of = atom_constant<atom("sum_of")>;
using stop = atom_constant<atom("stop")>;
using item = atom_constant<atom("item")>;
using ready = atom_constant<atom("ready")>;
using hungry = atom_constant<atom("hungry")>;
using denied = atom_constant<atom("denied")>;
using eat = atom_constant<atom("eat")>;
using done = atom_constant<atom("done")>;
using full = atom_constant<atom("full")>;

static actor_system *runtime;

static void must(bool so, const char *what) {
    if (so) return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

// Something that all of a run waits for.
struct finish {
    std::shared_ptr<std::promise<void>> promise = std::make_shared<std::promise<void>>();
    void tell() {
        auto kept = promise; // who waits may be gone before set_value is over
        kept->set_value();
    }
    void wait() { promise->get_future().wait(); }
};

// ---- memory, and starting -----------------------------------------------------------------------

static double started(uint64_t times, std::vector<actor> &actors) {
    finish all;
    std::atomic<uint64_t> running{0};
    actors.reserve(times);
    return clocked([&] {
        for (uint64_t i = 0; i < times; i++) {
            actors.push_back(runtime->spawn([&, times](event_based_actor *) -> behavior {
                if (running.fetch_add(1) + 1 == times) all.tell();
                return {[](item) {}};
            }));
        }
        all.wait();
    });
}

static double idle_bytes(uint64_t times) {
    std::vector<actor> actors;
    actors.reserve(times);
    const double before = resident();
    started(times, actors);
    return resident() - before;
}

static double spawn_many(uint64_t times) {
    std::vector<actor> actors;
    const double ns = started(times, actors);
    actors.clear();
    runtime->await_all_actors_done();
    return ns;
}

static double spawn_each(uint64_t times) {
    finish all;
    return clocked([&] {
        runtime->spawn([&, times](event_based_actor *self) -> behavior {
            auto child = [parent = actor{self}](event_based_actor *born) {
                born->send(parent, up::value);
            };
            self->spawn(child);
            return {[&, self, child, left = times](up) mutable {
                if (--left > 0) {
                    self->spawn(child);
                    return;
                }
                self->quit();
                all.tell();
            }};
        });
        all.wait();
    });
}

// ---- messages -----------------------------------------------------------------------------------

static double pingpong(uint64_t times) {
    finish all;
    actor pong = runtime->spawn([](event_based_actor *self) -> behavior {
        return {[self](item, uint64_t value) {
            self->send(actor_cast<actor>(self->current_sender()), item::value, value);
        }};
    });
    return clocked([&] {
        runtime->spawn([&, times](event_based_actor *self) -> behavior {
            self->send(pong, item::value, times);
            return {[&, self](item, uint64_t left) {
                if (left > 1) {
                    self->send(pong, item::value, left - 1);
                    return;
                }
                self->quit();
                all.tell();
            }};
        });
        all.wait();
    });
}

// Takes so many messages, and says when it has them.
static actor taker(uint64_t times, finish &all) {
    return runtime->spawn([&all, times](event_based_actor *self) -> behavior {
        return {[&all, self, left = times](item, uint64_t) mutable {
            if (--left > 0) return;
            self->quit();
            all.tell();
        }};
    });
}

// Its first message holds the taker, and with it the thread that runs it, until all are sent.
static double enqueue(uint64_t times) {
    finish all, sent;
    actor held = runtime->spawn([&, times](event_based_actor *self) -> behavior {
        return {[&](go) { sent.wait(); },
                [&, self, left = times](item, uint64_t) mutable {
                    if (--left > 0) return;
                    self->quit();
                    all.tell();
                }};
    });
    anon_send(held, go::value);
    const double ns = clocked([&] {
        for (uint64_t i = 0; i < times; i++)
            anon_send(held, item::value, i);
    });
    sent.tell();
    all.wait();
    return ns;
}

template <int Senders> double flood(uint64_t times) {
    finish all;
    const uint64_t each = std::max<uint64_t>(times / Senders, 1);
    return clocked([&] {
        actor to = taker(each * Senders, all);
        for (int i = 0; i < Senders; i++) {
            runtime->spawn([to, each](event_based_actor *self) {
                for (uint64_t value = 0; value < each; value++)
                    self->send(to, item::value, value);
            });
        }
        all.wait();
    });
}

static void asks(event_based_actor *self, const actor &server, uint64_t left, finish &all) {
    self->request(server, std::chrono::seconds(5), left).then([=, &all](uint64_t answer) {
        must(answer == left, "ask");
        if (left > 1) asks(self, server, left - 1, all);
        else all.tell();
    });
}

static double ask(uint64_t times) {
    finish all;
    actor server = runtime->spawn([]() -> behavior { return {[](uint64_t value) { return value; }}; });
    return clocked([&] {
        runtime->spawn([&, times](event_based_actor *self) { asks(self, server, times, all); });
        all.wait();
    });
}

// A round is one message that all share; 64 rounds, and then all must have handled them.
static const uint64_t window = 64;

static void publish(event_based_actor *self, const std::vector<actor> &subscribers) {
    for (uint64_t round = 0; round < window; round++) {
        message news = make_message(item::value, round);
        for (const actor &subscriber : subscribers)
            actor_cast<abstract_actor *>(subscriber)
                ->enqueue(self->ctrl(), make_message_id(), news, self->context());
    }
}

template <uint64_t Subscribers> double broadcast(uint64_t times) {
    finish all;
    const uint64_t windows = std::max<uint64_t>(times / (window * Subscribers), 1);
    std::atomic<uint64_t> handled{0};
    std::vector<actor> subscribers;
    for (uint64_t i = 0; i < Subscribers; i++) {
        subscribers.push_back(runtime->spawn([&handled](event_based_actor *self) -> behavior {
            return {[&handled, self](item, uint64_t) {
                if ((handled.fetch_add(1) + 1) % (window * Subscribers) == 0)
                    self->send(actor_cast<actor>(self->current_sender()), up::value);
            }};
        }));
    }
    const double ns = clocked([&] {
        runtime->spawn([&, windows](event_based_actor *self) -> behavior {
            publish(self, subscribers);
            return {[&, self, left = windows](up) mutable {
                if (--left > 0) {
                    publish(self, subscribers);
                    return;
                }
                self->quit();
                all.tell();
            }};
        });
        all.wait();
    });
    subscribers.clear();
    runtime->await_all_actors_done();
    return ns * double(times) / double(windows * window * Subscribers);
}

// ---- after Savina -------------------------------------------------------------------------------

static double threadring(uint64_t hops) {
    const size_t count = 100;
    finish all;
    std::vector<actor> ring;
    for (size_t i = 0; i < count; i++) {
        ring.push_back(runtime->spawn([&, i](event_based_actor *self) -> behavior {
            return {[&, self, i](item, uint64_t left) {
                if (left > 0) self->send(ring[(i + 1) % count], item::value, left - 1);
                else all.tell();
            }};
        }));
    }
    return clocked([&] {
        anon_send(ring[0], item::value, hops);
        all.wait();
    });
}

static double count(uint64_t times) {
    finish all;
    return clocked([&] {
        actor counter = runtime->spawn([]() -> behavior {
            auto sum = std::make_shared<uint64_t>(0);
            return {[sum](up) { ++*sum; }, [sum](sum_of) { return *sum; }};
        });
        runtime->spawn([&, times, counter](event_based_actor *self) {
            for (uint64_t i = 0; i < times; i++)
                self->send(counter, up::value);
            self->request(counter, infinite, sum_of::value).then([&, times](uint64_t sum) {
                must(sum == times, "count");
                all.tell();
            });
        });
        all.wait();
    });
}

static double forkjoin_create(uint64_t times) {
    finish all;
    std::atomic<uint64_t> ended{0};
    return clocked([&] {
        runtime->spawn([&, times](event_based_actor *self) {
            for (uint64_t i = 0; i < times; i++) {
                actor born = self->spawn([&, times](event_based_actor *child) -> behavior {
                    return {[&, child, times](go) {
                        child->quit();
                        if (ended.fetch_add(1) + 1 == times) all.tell();
                    }};
                });
                self->send(born, go::value);
            }
        });
        all.wait();
    });
}

static double forkjoin_throughput(uint64_t times) {
    const uint64_t count = 60, each = std::max<uint64_t>(times / count, 1);
    finish all;
    std::atomic<uint64_t> ended{0};
    std::vector<actor> workers;
    for (uint64_t i = 0; i < count; i++) {
        workers.push_back(runtime->spawn([&, each](event_based_actor *self) -> behavior {
            return {[&, self, left = each](item, uint64_t) mutable {
                if (--left > 0) return;
                self->quit();
                if (ended.fetch_add(1) + 1 == count) all.tell();
            }};
        }));
    }
    return clocked([&] {
        runtime->spawn([&, each](event_based_actor *self) {
            for (uint64_t round = 0; round < each; round++) {
                for (const actor &worker : workers)
                    self->send(worker, item::value, round);
            }
        });
        all.wait();
    });
}

static behavior fib_actor(event_based_actor *self, uint64_t n, const actor &parent) {
    if (n <= 2) {
        self->send(parent, uint64_t{1});
        return {};
    }
    const actor me{self};
    self->spawn(fib_actor, n - 1, me);
    self->spawn(fib_actor, n - 2, me);
    return {[self, parent, sum = uint64_t{0}, left = 2](uint64_t value) mutable {
        sum += value;
        if (--left > 0) return;
        self->send(parent, sum);
        self->quit();
    }};
}

static double fib(uint64_t n) {
    finish all;
    const uint64_t of = n < 25 ? 10 : n;
    return clocked([&] {
        runtime->spawn([&, of](event_based_actor *self) -> behavior {
            self->spawn(fib_actor, of, actor{self});
            return {[&, self, of](uint64_t value) {
                must(of < 25 || value == 75025, "fib");
                self->quit();
                all.tell();
            }};
        });
        all.wait();
    });
}

// 40 producers, 40 consumers, and a manager with room for 50, of which 40 are kept for what
// producers have in hand.
struct buffer {
    std::deque<uint64_t> items;
    std::vector<actor> consumers, waiting;
    uint64_t left = 0;
};

static behavior producer(event_based_actor *self, uint64_t each) {
    return {[self, left = each](go) mutable {
        self->send(actor_cast<actor>(self->current_sender()), item::value, left);
        if (--left == 0) self->quit();
    }};
}

static behavior consumer(event_based_actor *self) {
    return {[self](item, uint64_t) {
                self->send(actor_cast<actor>(self->current_sender()), ready::value);
            },
            [self](stop) { self->quit(); }};
}

static behavior manager(stateful_actor<buffer> *self, uint64_t each, finish *all) {
    const size_t actors = 40, room = 50;
    buffer &state = self->state;
    state.left = actors * each;
    for (size_t i = 0; i < actors; i++) {
        self->send(self->spawn(producer, each), go::value);
        state.consumers.push_back(self->spawn(consumer));
    }
    return {[self, &state](item, uint64_t value) {
                actor from = actor_cast<actor>(self->current_sender());
                if (state.consumers.empty()) {
                    state.items.push_back(value);
                } else {
                    self->send(state.consumers.back(), item::value, value);
                    state.consumers.pop_back();
                }
                if (state.items.size() >= room - actors) state.waiting.push_back(from);
                else self->send(from, go::value);
            },
            [self, &state, all](ready) {
                actor from = actor_cast<actor>(self->current_sender());
                if (state.items.empty()) {
                    state.consumers.push_back(from);
                } else {
                    self->send(from, item::value, state.items.front());
                    state.items.pop_front();
                    if (!state.waiting.empty()) {
                        self->send(state.waiting.back(), go::value);
                        state.waiting.pop_back();
                    }
                }
                if (--state.left > 0) return;
                for (const actor &idle : state.consumers)
                    self->send(idle, stop::value);
                self->quit();
                all->tell();
            }};
}

static double bounded_buffer(uint64_t times) {
    finish all;
    return clocked([&] {
        runtime->spawn(manager, std::max<uint64_t>(times / 40, 1), &all);
        all.wait();
    });
}

// 20 philosophers and one who has the forks. Who is refused asks again at once.
static const uint64_t seats = 20;

static behavior philosopher(event_based_actor *self, const actor &table, uint64_t seat,
                            uint64_t meals) {
    self->send(table, hungry::value, seat);
    return {[=, left = meals](eat) mutable {
                self->send(table, done::value, seat);
                if (--left > 0) {
                    self->send(table, hungry::value, seat);
                    return;
                }
                self->send(table, full::value);
                self->quit();
            },
            [=](denied) { self->send(table, hungry::value, seat); }};
}

struct forks {
    bool taken[seats] = {};
    uint64_t left = seats;
};

static behavior table(stateful_actor<forks> *self, uint64_t meals, finish *all) {
    forks &state = self->state;
    for (uint64_t seat = 0; seat < seats; seat++)
        self->spawn(philosopher, actor{self}, seat, meals);
    return {[self, &state](hungry, uint64_t seat) {
                actor from = actor_cast<actor>(self->current_sender());
                bool &mine = state.taken[seat], &other = state.taken[(seat + 1) % seats];
                if (mine || other) {
                    self->send(from, denied::value);
                    return;
                }
                mine = other = true;
                self->send(from, eat::value);
            },
            [&state](done, uint64_t seat) {
                state.taken[seat] = state.taken[(seat + 1) % seats] = false;
            },
            [self, &state, all](full) {
                if (--state.left > 0) return;
                self->quit();
                all->tell();
            }};
}

static double philosophers(uint64_t times) {
    finish all;
    return clocked([&] {
        runtime->spawn(table, std::max<uint64_t>(times / seats, 1), &all);
        all.wait();
    });
}

// ---- the rest -----------------------------------------------------------------------------------

static behavior grow(event_based_actor *self, uint64_t number, uint64_t size, const actor &parent) {
    if (size == 1) {
        self->send(parent, number);
        return {};
    }
    const actor me{self};
    for (uint64_t i = 0; i < 10; i++)
        self->spawn(grow, number + i * (size / 10), size / 10, me);
    return {[self, parent, sum = uint64_t{0}, left = 10](uint64_t value) mutable {
        sum += value;
        if (--left > 0) return;
        self->send(parent, sum);
        self->quit();
    }};
}

static double skynet(uint64_t leaves) {
    finish all;
    uint64_t size = 1;
    while (size * 10 <= leaves)
        size *= 10;
    return clocked([&] {
        runtime->spawn([&, size](event_based_actor *self) -> behavior {
            self->spawn(grow, uint64_t{0}, size, actor{self});
            return {[&, self, size](uint64_t sum) {
                must(sum == size * (size - 1) / 2, "skynet");
                self->quit();
                all.tell();
            }};
        });
        all.wait();
    });
}

static const row rows[] = {
    {"idle_bytes", "bytes", 1000000, idle_bytes},
    {"pingpong", "ns", 200000, pingpong},
    {"spawn", "ns", 100000, spawn_each},
    {"spawn_1m", "ns", 1000000, spawn_many},
    {"enqueue", "ns", 400000, enqueue},
    {"stream", "ns", 1000000, flood<1>},
    {"n_to_1_1", "ns", 400000, flood<1>},
    {"n_to_1_2", "ns", 400000, flood<2>},
    {"n_to_1_4", "ns", 400000, flood<4>},
    {"n_to_1_8", "ns", 400000, flood<8>},
    {"ask", "ns", 100000, ask},
    {"broadcast_1", "ns", 200000, broadcast<1>},
    {"broadcast_10", "ns", 200000, broadcast<10>},
    {"broadcast_100", "ns", 500000, broadcast<100>},
    {"broadcast_1000", "ns", 500000, broadcast<1000>},
    {"threadring", "ns", 100000, threadring},
    {"count", "ns", 1000000, count},
    {"forkjoin_create", "ns", 40000, forkjoin_create},
    {"forkjoin_throughput", "ns", 600000, forkjoin_throughput},
    {"fib", "ms", 25, fib},
    {"bounded_buffer", "ns", 40000, bounded_buffer},
    {"philosophers", "ns", 200000, philosophers},
    {"skynet_1m", "ms", 1000000, skynet},
};

int main(int argc, char **argv) {
    const int threads = argc > 1 ? atoi(argv[1]) : 0;
    must(threads > 0, "the number of threads");
    char peer[64];
    snprintf(peer, sizeof peer, "CAF %d.%d.%d", CAF_MAJOR_VERSION, CAF_MINOR_VERSION,
             CAF_PATCH_VERSION);
    actor_system_config config;
    config.set("scheduler.max-threads", size_t(threads));
    runtime = new actor_system(config);
    for (const row &r : rows) {
        bool wanted = argc == 2 && strcmp(r.unit, "bytes") != 0;
        for (int i = 2; i < argc; i++)
            wanted |= strcmp(argv[i], r.metric) == 0;
        if (wanted) print(r, peer, threads);
    }
    _Exit(0); // actors that know each other would keep the system waiting
}
