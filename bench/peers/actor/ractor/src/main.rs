//! main.rs - the rows of actor_bench with ractor's actors on tokio.
//!
//! Which work a name stands for is in the table of bench/README.md. A mailbox has no bounds. An
//! actor's failure goes to its supervisor as an event; starting it again is what the supervisor's
//! code does, with an empty mailbox, so in `restart` the new one says that it is there.
//!
//! Arguments: how many threads run actors; then the metrics, or all but the bytes.

mod host;
mod row;
mod savina;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use host::{goes, send, spawn, spawn_below, Next};
use ractor::{call_t, Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use row::{clocked, resident, Row, Took};
use tokio::runtime::Runtime;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

fn runtime() -> &'static Runtime {
    RUNTIME.get().expect("a runtime")
}

const ROWS: &[Row] = &[
    Row { metric: "idle_bytes", unit: "bytes", times: 1000000, body: idle_bytes },
    Row { metric: "supervised_bytes", unit: "bytes", times: 100000, body: supervised_bytes },
    Row { metric: "pingpong", unit: "ns", times: 200000, body: pingpong },
    Row { metric: "spawn", unit: "ns", times: 100000, body: spawn_each },
    Row { metric: "spawn_1m", unit: "ns", times: 1000000, body: spawn_many },
    Row { metric: "enqueue", unit: "ns", times: 400000, body: enqueue },
    Row { metric: "stream", unit: "ns", times: 1000000, body: |times| flood(1, times) },
    Row { metric: "n_to_1_1", unit: "ns", times: 400000, body: |times| flood(1, times) },
    Row { metric: "n_to_1_2", unit: "ns", times: 400000, body: |times| flood(2, times) },
    Row { metric: "n_to_1_4", unit: "ns", times: 400000, body: |times| flood(4, times) },
    Row { metric: "n_to_1_8", unit: "ns", times: 400000, body: |times| flood(8, times) },
    Row { metric: "ask", unit: "ns", times: 100000, body: ask },
    Row { metric: "broadcast_1", unit: "ns", times: 200000, body: |times| broadcast(1, times) },
    Row { metric: "broadcast_10", unit: "ns", times: 200000, body: |times| broadcast(10, times) },
    Row { metric: "broadcast_100", unit: "ns", times: 500000, body: |times| broadcast(100, times) },
    Row {
        metric: "broadcast_1000",
        unit: "ns",
        times: 500000,
        body: |times| broadcast(1000, times),
    },
    Row { metric: "restart", unit: "ns", times: 1000, body: restart },
    Row { metric: "threadring", unit: "ns", times: 100000, body: savina::threadring },
    Row { metric: "count", unit: "ns", times: 1000000, body: savina::count },
    Row { metric: "forkjoin_create", unit: "ns", times: 40000, body: savina::forkjoin_create },
    Row {
        metric: "forkjoin_throughput",
        unit: "ns",
        times: 600000,
        body: savina::forkjoin_throughput,
    },
    Row { metric: "fib", unit: "ms", times: 25, body: savina::fib },
    Row { metric: "bounded_buffer", unit: "ns", times: 40000, body: savina::bounded_buffer },
    Row { metric: "philosophers", unit: "ns", times: 200000, body: savina::philosophers },
    Row { metric: "skynet_1m", unit: "ms", times: 1000000, body: skynet },
    Row { metric: "timer_churn", unit: "ns", times: 100000, body: timer_churn },
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let threads: usize = arguments.next().and_then(|text| text.parse().ok()).expect("threads");
    let wanted: Vec<String> = arguments.collect();
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = RUNTIME.get_or_init(|| built).enter();
    for row in ROWS {
        if wanted.iter().any(|name| name == row.metric)
            || (wanted.is_empty() && row.unit != "bytes")
        {
            row.print(threads);
        }
    }
    std::process::exit(0); // with what actors are left
}

// ---- memory, and starting

/// Counts one; whoever is the last says so.
pub fn counted(counter: &AtomicU64, last: u64, all: &Sender<()>) {
    if counter.fetch_add(1, Ordering::AcqRel) + 1 == last {
        all.send(()).expect("somebody waits");
    }
}

fn started(times: u64, actors: &mut Vec<ActorRef<u64>>) -> Took {
    let (all, wait) = channel();
    let up = Arc::new(AtomicU64::new(0));
    clocked(|| {
        for _ in 0..times {
            let (up, all) = (up.clone(), all.clone());
            let start = move |_: &ActorRef<u64>| {
                counted(&up, times, &all);
                Next::Go
            };
            actors.push(spawn(start, |_, _| Next::End));
        }
        wait.recv().expect("all");
    })
}

fn idle_bytes(times: u64) -> Took {
    let mut actors = Vec::with_capacity(times as usize);
    let before = resident();
    started(times, &mut actors);
    let bytes = resident() - before;
    ended(actors);
    Took::All(bytes)
}

fn spawn_many(times: u64) -> Took {
    let mut actors = Vec::with_capacity(times as usize);
    let took = started(times, &mut actors);
    ended(actors);
    took
}

fn ended(actors: Vec<ActorRef<u64>>) {
    runtime().block_on(async {
        for actor in &actors {
            actor.stop(None);
        }
        for actor in actors {
            actor.wait(None).await.expect("its end");
        }
    });
}

fn supervised_bytes(times: u64) -> Took {
    let supervisor = spawn(goes, |_: &ActorRef<u64>, _| Next::End);
    let mut children = Vec::with_capacity(times as usize);
    let before = resident();
    runtime().block_on(async {
        for _ in 0..times {
            let child = spawn_below(supervisor.get_cell(), goes, |_: &ActorRef<u64>, _| Next::End);
            children.push(child.await);
        }
    });
    Took::All(resident() - before)
}

fn spawn_each(times: u64) -> Took {
    fn born(parent: ActorRef<()>) {
        let start = move |_: &ActorRef<()>| {
            send(&parent, ());
            Next::End
        };
        spawn(start, |_, ()| Next::Go);
    }
    let (all, wait) = channel();
    let mut left = times;
    clocked(|| {
        let start = |me: &ActorRef<()>| {
            born(me.clone());
            Next::Go
        };
        spawn(start, move |me, ()| {
            left -= 1;
            if left > 0 {
                born(me.clone());
                return Next::Go;
            }
            all.send(()).expect("somebody waits");
            Next::End
        });
        wait.recv().expect("all");
    })
}

// ---- messages

struct Ping(u64, ActorRef<u64>);

fn pingpong(times: u64) -> Took {
    let (all, wait) = channel();
    let pong = spawn(goes, |_: &ActorRef<Ping>, Ping(value, from)| {
        send(&from, value);
        Next::Go
    });
    let took = clocked(|| {
        let first = pong.clone();
        let to = pong.clone();
        let start = move |me: &ActorRef<u64>| {
            send(&first, Ping(times, me.clone()));
            Next::Go
        };
        spawn(start, move |me, left| {
            if left > 1 {
                send(&to, Ping(left - 1, me.clone()));
                return Next::Go;
            }
            all.send(()).expect("somebody waits");
            Next::End
        });
        wait.recv().expect("all");
    });
    pong.stop(None);
    took
}

/// Takes so many messages, and says when it has them.
fn taker(times: u64, all: Sender<()>) -> ActorRef<u64> {
    let mut left = times;
    spawn(goes, move |_, _| {
        left -= 1;
        if left > 0 {
            return Next::Go;
        }
        all.send(()).expect("somebody waits");
        Next::End
    })
}

/// Its first message holds the taker, and with it the thread that runs it, until all are sent.
fn enqueue(times: u64) -> Took {
    let ((all, wait), (sent, held)) = (channel(), channel::<()>());
    let mut left = times;
    let taker = spawn(goes, move |_, value: u64| {
        if value == u64::MAX {
            held.recv().expect("all are sent");
            return Next::Go;
        }
        left -= 1;
        if left > 0 {
            return Next::Go;
        }
        all.send(()).expect("somebody waits");
        Next::End
    });
    send(&taker, u64::MAX);
    let took = clocked(|| {
        for value in 0..times {
            send(&taker, value);
        }
    });
    sent.send(()).expect("it is held");
    wait.recv().expect("all");
    took
}

fn flood(senders: u64, times: u64) -> Took {
    let (all, wait) = channel();
    let each = (times / senders).max(1);
    clocked(|| {
        let to = taker(each * senders, all);
        for _ in 0..senders {
            let to = to.clone();
            let start = move |_: &ActorRef<()>| {
                for value in 0..each {
                    send(&to, value);
                }
                Next::End
            };
            spawn(start, |_, ()| Next::Go);
        }
        wait.recv().expect("all");
    })
}

struct Question(u64, RpcReplyPort<u64>);

fn ask(times: u64) -> Took {
    let server = spawn(goes, |_: &ActorRef<Question>, Question(value, reply)| {
        reply.send(value).expect("an asker");
        Next::Go
    });
    let asked = server.clone();
    let took = clocked(|| {
        let client = runtime().spawn(async move {
            for value in 0..times {
                let answer = call_t!(asked, |reply| Question(value, reply), 5000);
                assert_eq!(answer.expect("an answer"), value);
            }
        });
        runtime().block_on(client).expect("all");
    });
    server.stop(None);
    took
}

/// A round is a message to each; 64 rounds, and then all must have handled them.
fn broadcast(count: u64, times: u64) -> Took {
    const WINDOW: u64 = 64;
    fn publish(me: &ActorRef<()>, to: &[ActorRef<(u64, ActorRef<()>)>]) {
        for round in 0..WINDOW {
            for subscriber in to {
                send(subscriber, (round, me.clone()));
            }
        }
    }
    let windows = (times / (WINDOW * count)).max(1);
    let handled = Arc::new(AtomicU64::new(0));
    let subscribers: Vec<_> = (0..count)
        .map(|_| {
            let handled = handled.clone();
            spawn(goes, move |_, (_, publisher): (u64, ActorRef<()>)| {
                if (handled.fetch_add(1, Ordering::AcqRel) + 1) % (WINDOW * count) == 0 {
                    send(&publisher, ());
                }
                Next::Go
            })
        })
        .collect();
    let (all, wait) = channel();
    let (first, to, mut left) = (subscribers.clone(), subscribers.clone(), windows);
    let Took::All(ns) = clocked(|| {
        let start = move |me: &ActorRef<()>| {
            publish(me, &first);
            Next::Go
        };
        spawn(start, move |me, ()| {
            left -= 1;
            if left > 0 {
                publish(me, &to);
                return Next::Go;
            }
            all.send(()).expect("somebody waits");
            Next::End
        });
        wait.recv().expect("all");
    }) else {
        unreachable!()
    };
    for subscriber in subscribers {
        subscriber.stop(None);
    }
    Took::All(ns * times as f64 / (windows * WINDOW * count) as f64)
}

// ---- failing

enum Call {
    Fail,
    Hello(tokio::sync::oneshot::Sender<()>),
}

/// Starts its child, and starts it again when it has failed.
struct Supervisor(tokio::sync::mpsc::UnboundedSender<ActorRef<Call>>);

impl Supervisor {
    async fn child(&self, me: &ActorRef<()>) {
        let up = self.0.clone();
        let start = move |child: &ActorRef<Call>| {
            up.send(child.clone()).expect("somebody waits");
            Next::Go
        };
        let handle = |_: &ActorRef<Call>, call| match call {
            Call::Fail => Next::Fail,
            Call::Hello(reply) => {
                reply.send(()).expect("somebody waits");
                Next::Go
            }
        };
        spawn_below(me.get_cell(), start, handle).await;
    }
}

impl Actor for Supervisor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, me: ActorRef<()>, _: ()) -> Result<(), ActorProcessingErr> {
        self.child(&me).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<()>,
        event: SupervisionEvent,
        _: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, _) = event {
            self.child(&me).await;
        }
        Ok(())
    }
}

fn restart(times: u64) -> Took {
    let client = runtime().spawn(async move {
        let (up, mut ups) = tokio::sync::mpsc::unbounded_channel();
        let (supervisor, _) = Actor::spawn(None, Supervisor(up), ()).await.expect("a supervisor");
        let mut child = ups.recv().await.expect("a child");
        let mut samples = Vec::new();
        for _ in 0..times {
            let since = Instant::now();
            send(&child, Call::Fail);
            child = ups.recv().await.expect("a child");
            let (reply, replied) = tokio::sync::oneshot::channel();
            send(&child, Call::Hello(reply));
            replied.await.expect("an answer");
            samples.push(since.elapsed().as_nanos() as f64);
        }
        supervisor.stop(None);
        samples
    });
    Took::Each(runtime().block_on(client).expect("all"))
}

// ---- the rest

fn skynet(leaves: u64) -> Took {
    let mut size = 1;
    while size * 10 <= leaves {
        size *= 10;
    }
    let (all, wait) = channel();
    clocked(|| {
        let start = move |me: &ActorRef<u64>| {
            grow(0, size, me.clone());
            Next::Go
        };
        spawn(start, move |_, sum| {
            assert_eq!(sum, size * (size - 1) / 2);
            all.send(()).expect("somebody waits");
            Next::End
        });
        wait.recv().expect("all");
    })
}

fn grow(number: u64, size: u64, parent: ActorRef<u64>) {
    let (to, mut sum, mut left) = (parent.clone(), 0, 10);
    let start = move |me: &ActorRef<u64>| {
        if size == 1 {
            send(&parent, number);
            return Next::End;
        }
        for i in 0..10 {
            grow(number + i * (size / 10), size / 10, me.clone());
        }
        Next::Go
    };
    spawn(start, move |_, value| {
        sum += value;
        left -= 1;
        if left > 0 {
            return Next::Go;
        }
        send(&to, sum);
        Next::End
    });
}

fn timer_churn(times: u64) -> Took {
    let (all, wait) = channel();
    clocked(|| {
        let start = move |me: &ActorRef<()>| {
            for _ in 0..times {
                me.send_after(Duration::from_secs(3600), || ()).abort();
            }
            all.send(()).expect("somebody waits");
            Next::End
        };
        spawn(start, |_, ()| Next::Go);
        wait.recv().expect("all");
    })
}
