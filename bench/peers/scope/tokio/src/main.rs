//! main.rs - the rows of scope_bench that tokio has something for.
//!
//! On a runtime of one thread, as one worker of ours. Tasks have no stack: what waits is a state
//! machine of a few words, and so is what it costs. A scope is a JoinSet; a value of the context is
//! a task-local one. There is no channel without a buffer: the least capacity is one.

mod lines;

use lines::{measure, print, resident};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, Notify};
use tokio::task::{self, JoinSet, LocalSet};

const BUNCH: u64 = 64;
const GROUP: u64 = 100;
const PARKED: u64 = 1_000_000;

fn main() {
    park(); // first, while the heap is small
    measure("yield", 4_000_000, |times| yields(times, 2));
    measure("yield_1k", 4_000_000, |times| yields(times, 1_000));
    measure("yield_10k", 4_000_000, |times| yields(times, 10_000));
    measure("yield_100k", 4_000_000, |times| yields(times, 100_000));
    measure("spawn", 2_000_000, spawn);
    measure("spawn_await", 1_000_000, spawn_await);
    measure("scope_empty", 4_000_000, |times| join_sets(times, 0));
    measure("scope_spawn", 1_000_000, |times| join_sets(times, 1));
    measure("scope_spawn_100", 2_000_000, |times| join_sets(times, GROUP));
    measure("chan_ping_pong", 1_000_000, |times| two_ways(times, false));
    measure("chan_buffered", 1_000_000, |times| one_way(times, 64));
    measure("chan_ready", 1_000_000, |times| alone(times, false));
    measure("select_two", 1_000_000, |times| two_ways(times, true));
    measure("select_ready", 1_000_000, |times| alone(times, true));
    measure("context_get", 20_000_000, context_get);
    measure("with", 4_000_000, with);
    measure("conn_hop", 100_000, hops);
}

// ---- turns, and starting

async fn yields(times: u64, fibers: u64) -> Instant {
    let gate = Arc::new((Notify::new(), AtomicU64::new(0)));
    let mut set = JoinSet::new();
    for _ in 0..fibers {
        let gate = gate.clone();
        set.spawn(async move {
            gate.1.fetch_add(1, Relaxed);
            gate.0.notified().await;
            for _ in 0..times / fibers {
                task::yield_now().await;
            }
        });
    }
    while gate.1.load(Relaxed) < fibers {
        task::yield_now().await;
    }
    let since = Instant::now();
    gate.0.notify_waiters();
    while set.join_next().await.is_some() {}
    since
}

async fn spawn(times: u64) -> Instant {
    let since = Instant::now();
    for _ in 0..times / BUNCH {
        for _ in 0..BUNCH {
            task::spawn(async {});
        }
        task::yield_now().await;
    }
    since
}

async fn spawn_await(times: u64) -> Instant {
    let since = Instant::now();
    for _ in 0..times {
        task::spawn(async {}).await.expect("a task");
    }
    since
}

async fn join_sets(times: u64, children: u64) -> Instant {
    let since = Instant::now();
    for _ in 0..times / children.max(1) {
        let mut set = JoinSet::new();
        for _ in 0..children {
            set.spawn(async {});
        }
        while std::hint::black_box(&mut set).join_next().await.is_some() {}
    }
    since
}

// ---- channels

async fn one_way(times: u64, capacity: usize) -> Instant {
    let (there, mut received) = mpsc::channel::<u64>(capacity);
    let since = Instant::now();
    task::spawn(async move {
        for i in 0..times {
            there.send(i).await.expect("a receiver");
        }
    });
    while received.recv().await.is_some() {}
    since
}

type Receiver = mpsc::Receiver<u64>;

async fn receive(idle: &mut Receiver, from: &mut Receiver, selects: bool) -> Option<u64> {
    if !selects {
        return from.recv().await;
    }
    tokio::select! {
        item = idle.recv() => item,
        item = from.recv() => item,
    }
}

async fn two_ways(times: u64, selects: bool) -> Instant {
    let (there, mut asked) = mpsc::channel::<u64>(1);
    let (answer, mut back) = mpsc::channel::<u64>(1);
    let (_never, mut idle) = mpsc::channel::<u64>(1);
    let since = Instant::now();
    task::spawn(async move {
        while let Some(item) = asked.recv().await {
            answer.send(item).await.expect("a receiver");
        }
    });
    for i in 0..times / 2 {
        there.send(i).await.expect("a receiver");
        assert_eq!(receive(&mut idle, &mut back, selects).await, Some(i));
    }
    since
}

async fn alone(times: u64, selects: bool) -> Instant {
    let (there, mut received) = mpsc::channel::<u64>(4);
    let (_never, mut idle) = mpsc::channel::<u64>(4);
    let since = Instant::now();
    for i in 0..times {
        there.send(i).await.expect("a receiver");
        assert_eq!(receive(&mut idle, &mut received, selects).await, Some(i));
    }
    since
}

// ---- context

tokio::task_local! {
    static VALUE: u64;
}

async fn context_get(times: u64) -> Instant {
    VALUE
        .scope(1, async move {
            let since = Instant::now();
            let sum: u64 = (0..times).map(|_| std::hint::black_box(VALUE.get())).sum();
            assert_eq!(sum, times);
            since
        })
        .await
}

async fn with(times: u64) -> Instant {
    let since = Instant::now();
    let mut sum = 0;
    for _ in 0..times {
        sum += VALUE.sync_scope(1, || std::hint::black_box(VALUE.get()));
    }
    assert_eq!(sum, times);
    since
}

// ---- waiting

async fn pass(stream: &mut TcpStream, times: u64) {
    let mut one = [0u8];
    for _ in 0..times {
        if stream.read_exact(&mut one).await.is_err() || stream.write_all(&one).await.is_err() {
            return;
        }
    }
}

async fn hops(times: u64) -> Instant {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    task::spawn(async move {
        let (mut other, _) = listener.accept().await.expect("a connection");
        other.set_nodelay(true).expect("no delay");
        pass(&mut other, times).await;
    });
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let since = Instant::now();
    stream.write_all(b"x").await.expect("a byte written");
    pass(&mut stream, times / 2).await;
    since
}

fn park() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let local = LocalSet::new();
    let (parking, waking, bytes) = local.block_on(&runtime, async {
        let gate = Rc::new(Notify::new());
        let waiting = Rc::new(Cell::new(0));
        let mut set = JoinSet::new();
        let (before, since) = (resident(), Instant::now());
        for _ in 0..PARKED {
            let (gate, waiting) = (gate.clone(), waiting.clone());
            set.spawn_local(async move {
                waiting.set(waiting.get() + 1);
                gate.notified().await;
            });
        }
        while waiting.get() < PARKED {
            task::yield_now().await;
        }
        let parking = since.elapsed();
        let bytes = (resident() - before) / PARKED as f64;
        let since = Instant::now();
        gate.notify_waiters();
        while set.join_next().await.is_some() {}
        (parking, since.elapsed(), bytes)
    });
    let extra = format!("\"fibers\":{PARKED},");
    print("park", "ns", &extra, vec![parking.as_nanos() as f64 / PARKED as f64]);
    print("wake", "ns", &extra, vec![waking.as_nanos() as f64 / PARKED as f64]);
    print("parked_bytes", "bytes", &extra, vec![bytes]);
}
