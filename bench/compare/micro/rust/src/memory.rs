//! What waiting costs in memory. Each case has a process that has freed nothing before.
use crate::countdown::Countdown;
use crate::measure::{emit, runtime};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const MILLION: u64 = 1_000_000;

pub fn in_fresh_processes(row: &str) {
    for threads in ["1", "2"] {
        let this = std::env::current_exe().unwrap();
        assert!(Command::new(this).args(["tokio", row, threads]).status().unwrap().success());
    }
}

pub fn run(row: &str, threads: usize) {
    let figures = match row {
        "parked_fibers" => runtime(threads).block_on(async { tokio::spawn(parked_tasks()).await.unwrap() }),
        _ => queued_jobs(threads),
    };
    let each = |duration: Duration| duration.as_nanos() as f64 / MILLION as f64;
    let metrics = [
        ("each_bytes", figures.bytes / MILLION as f64),
        ("park_s", figures.parked.as_secs_f64()),
        ("op_ns", each(figures.whole)),
    ];
    emit(row, &format!("threads:{} count:{}", threads, MILLION), "tokio", &metrics);
}

struct Figures {
    bytes: f64,
    parked: Duration,
    whole: Duration,
}

/// Resident memory and page tables.
fn process_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap();
    let counted = |line: &&str| line.starts_with("VmRSS:") || line.starts_with("VmPTE:");
    status.lines().filter(counted).map(kib).sum::<f64>() * 1024.0
}

/// Tasks that wait for a semaphore, which is closed in the end: of what tokio can wait for the smallest.
async fn parked_tasks() -> Figures {
    let before = process_bytes();
    let start = Instant::now();
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::with_capacity(MILLION as usize);
    for _ in 0..MILLION {
        let (gate, started) = (gate.clone(), started.clone());
        tasks.push(tokio::spawn(async move {
            started.fetch_add(1, Ordering::Relaxed);
            assert!(gate.acquire().await.is_err());
        }));
    }
    while started.load(Ordering::Relaxed) < MILLION {
        tokio::task::yield_now().await;
    }
    let parked = start.elapsed();
    let bytes = process_bytes() - before;
    gate.close();
    for task in tasks {
        task.await.unwrap();
    }
    Figures { bytes, parked, whole: start.elapsed() }
}

/// Tasks that cannot start: every worker is held.
fn queued_jobs(threads: usize) -> Figures {
    let rt = runtime(threads);
    let release = Arc::new(AtomicBool::new(false));
    let occupied = Arc::new(AtomicU64::new(0));
    for _ in 0..threads {
        let (release, occupied) = (release.clone(), occupied.clone());
        rt.spawn(async move {
            occupied.fetch_add(1, Ordering::SeqCst);
            while !release.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        });
    }
    while occupied.load(Ordering::SeqCst) < threads as u64 {
        std::thread::yield_now();
    }
    let left = Arc::new(Countdown::default());
    left.start(MILLION);
    let before = process_bytes();
    let start = Instant::now();
    for _ in 0..MILLION {
        let left = left.clone();
        rt.spawn(async move { left.arrive() });
    }
    let parked = start.elapsed();
    let bytes = process_bytes() - before;
    release.store(true, Ordering::SeqCst);
    left.wait();
    Figures { bytes, parked, whole: start.elapsed() }
}
