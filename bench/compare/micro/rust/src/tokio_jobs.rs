//! Jobs as tasks, started from a plain thread and from a task; workers that select.
use crate::countdown::Countdown;
use crate::measure::{emit, runtime, tokio_row};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

const JOBS: u64 = 20_000;
const SELECT_WORKERS: usize = 4;
const QUEUE_CAPACITY: usize = 100;

pub fn run(row: &str, threads: usize) {
    match row {
        "submit_outside" => submit(row, threads, false),
        "submit_inside" => submit(row, threads, true),
        "worker_select" => tokio_row(row, threads, "", JOBS, worker_select),
        _ => {}
    }
}

/// A plain thread starts the batches and waits for them; it starts each job, or one that starts the others.
fn submit(row: &str, threads: usize, inside: bool) {
    const BATCHES: u64 = 20;
    let rt = runtime(threads);
    let left = Arc::new(Countdown::default());
    let start = Instant::now();
    for _ in 0..BATCHES {
        left.start(JOBS);
        if inside {
            let left = left.clone();
            rt.spawn(async move {
                for _ in 0..JOBS - 1 {
                    let left = left.clone();
                    tokio::spawn(async move { left.arrive() });
                }
                left.arrive();
            });
        } else {
            for _ in 0..JOBS {
                let left = left.clone();
                rt.spawn(async move { left.arrive() });
            }
        }
        left.wait();
    }
    let op_ns = start.elapsed().as_nanos() as f64 / (BATCHES * JOBS) as f64;
    emit(row, &format!("threads:{}", threads), "tokio", &[("op_ns", op_ns)]);
}

async fn worker_select(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let (stop, stopped) = watch::channel(());
        let (jobs, jobs_rx) = async_channel::bounded(QUEUE_CAPACITY);
        let (results, mut results_rx) = mpsc::channel(QUEUE_CAPACITY);
        let mut crew = Vec::new();
        for _ in 0..SELECT_WORKERS {
            let (jobs, results, mut stopped) = (jobs_rx.clone(), results.clone(), stopped.clone());
            crew.push(tokio::spawn(async move {
                loop {
                    tokio::select! {
                        job = jobs.recv() => match job {
                            Ok(job) => {
                                tokio::select! {
                                    sent = results.send(job * 2) => if sent.is_err() { return },
                                    _ = stopped.changed() => return,
                                }
                            }
                            Err(_) => return,
                        },
                        _ = stopped.changed() => return,
                    }
                }
            }));
        }
        let producer = jobs.clone();
        crew.push(tokio::spawn(async move {
            for _ in 0..JOBS {
                producer.send(1u64).await.unwrap();
            }
        }));
        let mut sum = 0;
        for _ in 0..JOBS {
            sum += results_rx.recv().await.unwrap();
        }
        assert_eq!(sum, 2 * JOBS);
        drop(stop);
        for member in crew {
            member.await.unwrap();
        }
    }
    start.elapsed()
}
