//! savina.rs - the rows after the Savina suite, without its busy loops: only what actors do counts.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{channel, Sender};
use std::sync::Arc;

use ractor::ActorRef;

use crate::counted;
use crate::host::{goes, send, spawn, Next};
use crate::row::{clocked, Took};

enum Ring {
    Next(ActorRef<Ring>),
    Token(u64),
}

pub fn threadring(hops: u64) -> Took {
    let (all, wait) = channel();
    let actors: Vec<_> = (0..100)
        .map(|_| {
            let (all, mut next) = (all.clone(), None);
            spawn(goes, move |_, message| {
                match message {
                    Ring::Next(actor) => next = Some(actor),
                    Ring::Token(0) => all.send(()).expect("somebody waits"),
                    Ring::Token(left) => {
                        send(next.as_ref().expect("a next one"), Ring::Token(left - 1))
                    }
                }
                Next::Go
            })
        })
        .collect();
    for (i, actor) in actors.iter().enumerate() {
        send(actor, Ring::Next(actors[(i + 1) % actors.len()].clone()));
    }
    let took = clocked(|| {
        send(&actors[0], Ring::Token(hops));
        wait.recv().expect("all");
    });
    for actor in actors {
        actor.stop(None);
    }
    took
}

enum Count {
    Increment,
    Get(Sender<u64>),
}

pub fn count(times: u64) -> Took {
    let (get, sum) = channel();
    clocked(|| {
        let mut count = 0;
        let counter = spawn(goes, move |_, message| match message {
            Count::Increment => {
                count += 1;
                Next::Go
            }
            Count::Get(to) => {
                to.send(count).expect("somebody waits");
                Next::End
            }
        });
        let start = move |_: &ActorRef<()>| {
            for _ in 0..times {
                send(&counter, Count::Increment);
            }
            send(&counter, Count::Get(get));
            Next::End
        };
        spawn(start, |_, ()| Next::Go);
        assert_eq!(sum.recv().expect("a count"), times);
    })
}

pub fn forkjoin_create(times: u64) -> Took {
    let (all, wait) = channel();
    clocked(|| {
        let start = move |_: &ActorRef<()>| {
            let done = Arc::new(AtomicU64::new(0));
            for _ in 0..times {
                let (done, all) = (done.clone(), all.clone());
                let born = spawn(goes, move |_, ()| {
                    counted(&done, times, &all);
                    Next::End
                });
                send(&born, ());
            }
            Next::End
        };
        spawn(start, |_, ()| Next::Go);
        wait.recv().expect("all");
    })
}

pub fn forkjoin_throughput(times: u64) -> Took {
    const WORKERS: u64 = 60;
    let each = (times / WORKERS).max(1);
    let (all, wait) = channel();
    let done = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (done, all, mut left) = (done.clone(), all.clone(), each);
            spawn(goes, move |_, _: u64| {
                left -= 1;
                if left > 0 {
                    return Next::Go;
                }
                counted(&done, WORKERS, &all);
                Next::End
            })
        })
        .collect();
    clocked(|| {
        let start = move |_: &ActorRef<()>| {
            for round in 0..each {
                for worker in &workers {
                    send(worker, round);
                }
            }
            Next::End
        };
        spawn(start, |_, ()| Next::Go);
        wait.recv().expect("all");
    })
}

fn fib_actor(n: u64, parent: ActorRef<u64>) {
    let (to, mut sum, mut left) = (parent.clone(), 0, 2);
    let start = move |me: &ActorRef<u64>| {
        if n <= 2 {
            send(&parent, 1);
            return Next::End;
        }
        fib_actor(n - 1, me.clone());
        fib_actor(n - 2, me.clone());
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

pub fn fib(n: u64) -> Took {
    let of = if n < 25 { 10 } else { n };
    let (all, wait) = channel();
    clocked(|| {
        let start = move |me: &ActorRef<u64>| {
            fib_actor(of, me.clone());
            Next::Go
        };
        spawn(start, move |_, value| {
            all.send(value).expect("somebody waits");
            Next::End
        });
        let value = wait.recv().expect("all");
        assert!(of < 25 || value == 75025);
    })
}

enum Buffer {
    Start,
    Item(ActorRef<()>, u64),
    Ready(ActorRef<u64>),
}

const ACTORS: u64 = 40;
const ROOM: usize = 50;

fn producer(manager: ActorRef<Buffer>, each: u64) -> ActorRef<()> {
    let mut left = each;
    spawn(goes, move |me: &ActorRef<()>, ()| {
        send(&manager, Buffer::Item(me.clone(), left));
        left -= 1;
        if left > 0 {
            Next::Go
        } else {
            Next::End
        }
    })
}

fn consumer(manager: ActorRef<Buffer>) -> ActorRef<u64> {
    spawn(goes, move |me: &ActorRef<u64>, _| {
        send(&manager, Buffer::Ready(me.clone()));
        Next::Go
    })
}

/// 40 producers, 40 consumers, and a manager with room for 50, of which 40 are kept for what
/// producers have in hand.
pub fn bounded_buffer(times: u64) -> Took {
    let each = (times / ACTORS).max(1);
    let (all, wait) = channel();
    let (mut items, mut idle, mut waiting) = (VecDeque::new(), Vec::new(), Vec::new());
    let mut left = each * ACTORS;
    clocked(|| {
        let manager = spawn(goes, move |me: &ActorRef<Buffer>, message| {
            match message {
                Buffer::Start => {
                    for _ in 0..ACTORS {
                        send(&producer(me.clone(), each), ());
                        idle.push(consumer(me.clone()));
                    }
                }
                Buffer::Item(from, item) => {
                    match idle.pop() {
                        Some(consumer) => send(&consumer, item),
                        None => items.push_back(item),
                    }
                    if items.len() >= ROOM - ACTORS as usize {
                        waiting.push(from);
                    } else {
                        let _ = from.send_message(()); // it ended with its last item
                    }
                }
                Buffer::Ready(from) => {
                    match items.pop_front() {
                        Some(item) => {
                            send(&from, item);
                            if let Some(producer) = waiting.pop() {
                                let _ = producer.send_message(());
                            }
                        }
                        None => idle.push(from),
                    }
                    left -= 1;
                    if left == 0 {
                        idle.drain(..).for_each(|consumer| consumer.stop(None));
                        all.send(()).expect("somebody waits");
                        return Next::End;
                    }
                }
            }
            Next::Go
        });
        send(&manager, Buffer::Start);
        wait.recv().expect("all");
    })
}

enum Meal {
    Hungry(usize, ActorRef<bool>),
    Done(usize),
    Full,
}

fn philosopher(table: ActorRef<Meal>, seat: usize, meals: u64) {
    let (first, mut left) = (table.clone(), meals);
    let start = move |me: &ActorRef<bool>| {
        send(&first, Meal::Hungry(seat, me.clone()));
        Next::Go
    };
    spawn(start, move |me, eats| {
        if eats {
            send(&table, Meal::Done(seat));
            left -= 1;
        }
        if left == 0 {
            send(&table, Meal::Full);
            return Next::End;
        }
        send(&table, Meal::Hungry(seat, me.clone()));
        Next::Go
    });
}

/// 20 philosophers and one who has the forks. Who is refused asks again at once.
pub fn philosophers(times: u64) -> Took {
    const SEATS: usize = 20;
    let meals = (times / SEATS as u64).max(1);
    let (all, wait) = channel();
    let (mut taken, mut left) = ([false; SEATS], SEATS);
    clocked(|| {
        let table = spawn(goes, move |_, message| {
            match message {
                Meal::Hungry(seat, from) => {
                    let other = (seat + 1) % SEATS;
                    let eats = !taken[seat] && !taken[other];
                    if eats {
                        (taken[seat], taken[other]) = (true, true);
                    }
                    send(&from, eats);
                }
                Meal::Done(seat) => (taken[seat], taken[(seat + 1) % SEATS]) = (false, false),
                Meal::Full => left -= 1,
            }
            if left > 0 {
                return Next::Go;
            }
            all.send(()).expect("somebody waits");
            Next::End
        });
        for seat in 0..SEATS {
            philosopher(table.clone(), seat, meals);
        }
        wait.recv().expect("all");
    })
}
