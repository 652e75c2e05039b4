//! crossbeam-channel between threads, one where spool has a fiber.
use crate::countdown::Countdown;
use crate::measure::{keep, thread_row};
use crossbeam_channel::{bounded, select};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const BATCH: u64 = 10_000;
const MPMC_MESSAGES: u64 = 100_000;
const SELECT_MESSAGES: u64 = 10_000;
const PAIRS: u64 = 2;
const JOBS: u64 = 20_000;
const SELECT_WORKERS: usize = 4;
const QUEUE_CAPACITY: usize = 100;

pub fn run(row: &str) {
    let simple = |ops, body: fn(u64) -> Duration| thread_row(row, "", "crossbeam", ops, body);
    match row {
        "pingpong" => simple(1, pingpong),
        "rendezvous" => simple(BATCH, |n| stream(n, 0)),
        "buffered" => {
            for capacity in [1, 100, 1000] {
                let params = format!("capacity:{}", capacity);
                thread_row(row, &params, "crossbeam", BATCH, |n| stream(n, capacity));
            }
        }
        "send_recv" => simple(1, send_recv),
        "mpmc" => {
            for side in [4, 100] {
                let params = format!("side:{}", side);
                thread_row(row, &params, "crossbeam", MPMC_MESSAGES, |n| mpmc(n, side));
            }
        }
        "try_send_full" => simple(1, try_send_full),
        "try_recv_empty" => simple(1, try_recv_empty),
        "select_ready" => simple(1, select_ready),
        "select_contended" => simple(SELECT_MESSAGES, select_contended),
        "worker_select" => simple(JOBS, worker_select),
        "submit_outside" => thread_row(row, "", "crossbeam_pool", JOBS, |n| submit(n, false)),
        "submit_inside" => thread_row(row, "", "crossbeam_pool", JOBS, |n| submit(n, true)),
        _ => {}
    }
}

fn pingpong(n: u64) -> Duration {
    let (there, there_rx) = bounded(0);
    let (back, back_rx) = bounded(0);
    let partner = thread::spawn(move || {
        for value in there_rx {
            back.send(value).unwrap();
        }
    });
    let start = Instant::now();
    for _ in 0..n {
        there.send(1).unwrap();
        keep(back_rx.recv().unwrap());
    }
    let elapsed = start.elapsed();
    drop(there);
    partner.join().unwrap();
    elapsed
}

fn stream(n: u64, capacity: usize) -> Duration {
    let (tx, rx) = bounded(capacity);
    let producer = thread::spawn(move || {
        let mut i = 0;
        while tx.send(i).is_ok() {
            i += 1;
        }
    });
    let start = Instant::now();
    for _ in 0..n * BATCH {
        keep(rx.recv().unwrap());
    }
    let elapsed = start.elapsed();
    drop(rx);
    producer.join().unwrap();
    elapsed
}

fn send_recv(n: u64) -> Duration {
    let (tx, rx) = bounded(100);
    let start = Instant::now();
    for _ in 0..n {
        tx.send(1).unwrap();
        keep(rx.recv().unwrap());
    }
    start.elapsed()
}

fn mpmc(n: u64, side: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let (tx, rx) = bounded(100);
        thread::scope(|threads| {
            for _ in 0..side {
                let (tx, rx) = (tx.clone(), rx.clone());
                threads.spawn(move || {
                    for value in rx {
                        keep(value);
                    }
                });
                threads.spawn(move || {
                    for _ in 0..MPMC_MESSAGES / side {
                        tx.send(1).unwrap();
                    }
                });
            }
            drop((tx, rx));
        });
    }
    start.elapsed()
}

fn try_send_full(n: u64) -> Duration {
    let (tx, _rx) = bounded(1);
    tx.send(1).unwrap();
    let start = Instant::now();
    for _ in 0..n {
        keep(tx.try_send(2).is_ok());
    }
    start.elapsed()
}

fn try_recv_empty(n: u64) -> Duration {
    let (_tx, rx) = bounded::<i32>(1);
    let start = Instant::now();
    for _ in 0..n {
        keep(rx.try_recv().is_ok());
    }
    start.elapsed()
}

fn select_ready(n: u64) -> Duration {
    let (a, a_rx) = bounded(1);
    let (b, b_rx) = bounded(1);
    let mut sum = 0;
    let start = Instant::now();
    for i in 0..n {
        if i % 2 == 0 { &a } else { &b }.send(1).unwrap();
        select! {
            recv(a_rx) -> v => sum += v.unwrap(),
            recv(b_rx) -> v => sum -= v.unwrap(),
        }
    }
    keep(sum);
    start.elapsed()
}

fn select_contended(n: u64) -> Duration {
    let (a, a_rx) = bounded(0);
    let (b, b_rx) = bounded(0);
    let start = Instant::now();
    for _ in 0..n {
        thread::scope(|threads| {
            for _ in 0..PAIRS {
                threads.spawn(|| {
                    for _ in 0..SELECT_MESSAGES / PAIRS {
                        select! {
                            send(a, 1) -> sent => sent.unwrap(),
                            send(b, 2) -> sent => sent.unwrap(),
                        }
                    }
                });
                threads.spawn(|| {
                    let mut sum = 0;
                    for _ in 0..SELECT_MESSAGES / PAIRS {
                        select! {
                            recv(a_rx) -> v => sum += v.unwrap(),
                            recv(b_rx) -> v => sum -= v.unwrap(),
                        }
                    }
                    keep(sum);
                });
            }
        });
    }
    start.elapsed()
}

fn worker_select(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let (stop, stopped) = bounded::<()>(0);
        let (jobs, jobs_rx) = bounded(QUEUE_CAPACITY);
        let (results, results_rx) = bounded(QUEUE_CAPACITY);
        thread::scope(|threads| {
            for _ in 0..SELECT_WORKERS {
                threads.spawn(|| loop {
                    select! {
                        recv(jobs_rx) -> job => match job {
                            Ok(job) => select! {
                                send(results, job * 2) -> sent => sent.unwrap(),
                                recv(stopped) -> _ => return,
                            },
                            Err(_) => return,
                        },
                        recv(stopped) -> _ => return,
                    }
                });
            }
            threads.spawn(|| {
                for _ in 0..JOBS {
                    jobs.send(1u64).unwrap();
                }
            });
            let sum: u64 = results_rx.iter().take(JOBS as usize).sum();
            assert_eq!(sum, 2 * JOBS);
            drop(stop);
        });
    }
    start.elapsed()
}

type Job = Box<dyn FnOnce() + Send>;

/// A pool of two threads that take boxed jobs from one channel.
fn submit(n: u64, inside: bool) -> Duration {
    let (queue, jobs) = bounded::<Job>(QUEUE_CAPACITY);
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let jobs = jobs.clone();
            thread::spawn(move || jobs.into_iter().for_each(|job| job()))
        })
        .collect();
    let left = Arc::new(Countdown::default());
    let start = Instant::now();
    for _ in 0..n {
        left.start(JOBS);
        if inside {
            let (queue_of_job, left_of_job) = (queue.clone(), left.clone());
            let submit_rest = move || {
                submit_jobs(&queue_of_job, JOBS - 1, &left_of_job);
                left_of_job.arrive();
            };
            queue.send(Box::new(submit_rest)).unwrap();
        } else {
            submit_jobs(&queue, JOBS, &left);
        }
        left.wait();
    }
    let elapsed = start.elapsed();
    drop(queue);
    for worker in workers {
        worker.join().unwrap();
    }
    elapsed
}

fn submit_jobs(queue: &crossbeam_channel::Sender<Job>, jobs: u64, left: &Arc<Countdown>) {
    for _ in 0..jobs {
        let left = left.clone();
        queue.send(Box::new(move || left.arrive())).unwrap();
    }
}
