//! row.rs - a row: run it so often, and print the line that bench.c prints.

use std::time::Instant;

const PEER: &str = "ractor 0.16.5 on tokio";
const RUNS: usize = 5;

/// What a run says: nanoseconds (or bytes) in all, or how long each of its samples took.
pub enum Took {
    All(f64),
    Each(Vec<f64>),
}

pub struct Row {
    pub metric: &'static str,
    pub unit: &'static str,
    pub times: u64,
    pub body: fn(u64) -> Took,
}

pub fn clocked(body: impl FnOnce()) -> Took {
    let since = Instant::now();
    body();
    Took::All(since.elapsed().as_nanos() as f64)
}

/// HYPHA_PEER_QUICK divides the work, for a look at whether all is well.
fn divisor() -> u64 {
    let text = std::env::var("HYPHA_PEER_QUICK").unwrap_or_default();
    text.parse().unwrap_or(1).max(1)
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

impl Row {
    pub fn print(&self, workers: usize) {
        let times = (self.times / divisor()).max(1);
        // What was freed is not given back, so bytes are measured once.
        let once = self.unit == "bytes" || divisor() > 1;
        let since = Instant::now();
        if !once {
            (self.body)((times / 10).max(1));
        }
        let runs = match since.elapsed().as_millis() {
            _ if once => 1,
            0..500 => RUNS,
            _ => 3, // a tenth took so long
        };
        let (cpu, switches) = usage();
        let (mut values, mut samples) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            match (self.body)(times) {
                Took::All(ns) if self.unit == "ms" => values.push(ns / 1e6),
                Took::All(sum) => values.push(sum / times as f64),
                Took::Each(mut each) => {
                    values.push(quantile(&mut each, 0.5));
                    samples.append(&mut each);
                }
            }
        }
        let (cpu_after, switches_after) = usage();
        let median = quantile(&mut values, 0.5);
        let p99 = match samples.is_empty() {
            true => String::new(),
            false => format!("\"p99\":{:.1},", quantile(&mut samples, 0.99)),
        };
        println!(
            "{{\"bench\":\"actor\",\"metric\":\"{}\",\"value\":{median:.6},\"unit\":\"{}\",\
             \"runs\":{runs},\"min\":{:.6},\"median\":{median:.6},\"max\":{:.6},{p99}\
             \"cpu_ms\":{:.3},\"ctx_switches\":{:.1},\"workers\":{workers},\"peer\":\"{PEER}\"}}",
            self.metric,
            self.unit,
            values[0],
            values[runs - 1],
            (cpu_after - cpu) / runs as f64,
            (switches_after - switches) / runs as f64,
        );
    }
}

/// Processor time of this process in milliseconds, and switches between its threads.
fn usage() -> (f64, f64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let ms = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
    (ms(usage.ru_utime) + ms(usage.ru_stime), (usage.ru_nvcsw + usage.ru_nivcsw) as f64)
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
