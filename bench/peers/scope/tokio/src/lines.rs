//! lines.rs - a row: run it so often, and print the line that bench.c prints.

use std::future::Future;
use std::time::Instant;

pub const PEER: &str = "tokio 1.54.1, current_thread";
const RUNS: usize = 7;

pub fn print(metric: &str, unit: &str, extra: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (runs, median) = (values.len(), values[values.len() / 2]);
    println!(
        "{{\"bench\":\"scope\",\"metric\":\"{metric}\",\"value\":{median:.6},\"unit\":\"{unit}\",\
         \"runs\":{runs},\"min\":{:.6},\"median\":{median:.6},\"max\":{:.6},{extra}\
         \"peer\":\"{PEER}\"}}",
        values[0],
        values[runs - 1],
    );
}

/// A row does something `times` times, and says when it began.
pub fn measure<F: Future<Output = Instant>>(metric: &str, times: u64, body: impl Fn(u64) -> F) {
    let mut values = Vec::new();
    for _ in 0..RUNS {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let since = runtime.block_on(body(times));
        values.push(since.elapsed().as_nanos() as f64 / times as f64);
    }
    print(metric, "ns", "", values);
}

/// Resident memory of this process with its page tables, in bytes.
pub fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("a status");
    text.lines()
        .filter(|line| line.starts_with("VmRSS:") || line.starts_with("VmPTE:"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
        .sum::<f64>()
        * 1024.0
}
