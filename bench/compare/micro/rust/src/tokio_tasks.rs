//! Starting tasks and switching between them.
use crate::measure::{heavy_tokio_row, keep, tokio_row};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, Mutex};
use tokio::task::yield_now;

const CROWD: u64 = 1000;
const YIELDERS: u64 = 8;
const YIELDS_EACH: u64 = 1000;
const LAPS: u64 = 10;
const LEAVES: u64 = 1_000_000;
const SKYNET_TASKS: u64 = 1_111_111;
const SLEEPERS: u64 = 100_000;
const LOCKERS: u64 = 8;
const LOCKS_EACH: u64 = 1000;

pub fn run(row: &str, threads: usize) {
    match row {
        "spawn_join" => tokio_row(row, threads, "", 1, spawn_join),
        "spawn_1000" => tokio_row(row, threads, "", CROWD, spawn_1000),
        "yield" => tokio_row(row, threads, "", YIELDERS * YIELDS_EACH, yields),
        "yield_alone" => tokio_row(row, threads, "", 1, yield_alone),
        "ring" => tokio_row(row, threads, "", LAPS * (CROWD + 1), ring),
        "skynet" => heavy_tokio_row(row, threads, SKYNET_TASKS, skynet),
        "sleepers_100k" => heavy_tokio_row(row, threads, SLEEPERS, sleepers),
        "mutex_short" => tokio_row(row, threads, "", LOCKERS * LOCKS_EACH, |n| mutex(n, false)),
        "mutex_held" => tokio_row(row, threads, "", LOCKERS * LOCKS_EACH, |n| mutex(n, true)),
        _ => {}
    }
}

async fn spawn_join(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        tokio::spawn(async {}).await.unwrap();
    }
    start.elapsed()
}

async fn spawn_1000(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let tasks: Vec<_> = (0..CROWD).map(|_| tokio::spawn(async {})).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    start.elapsed()
}

async fn yields(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let task = || {
            tokio::spawn(async {
                for _ in 0..YIELDS_EACH {
                    yield_now().await;
                }
            })
        };
        let tasks: Vec<_> = (0..YIELDERS).map(|_| task()).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    start.elapsed()
}

async fn yield_alone(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        yield_now().await;
    }
    start.elapsed()
}

/// tokio has no rendezvous: the shortest of its channels, which hold one.
async fn ring(n: u64) -> Duration {
    let (first, mut last) = mpsc::channel::<u64>(1);
    let mut members = Vec::new();
    for _ in 0..CROWD {
        let (out, next) = mpsc::channel(1);
        let mut input = std::mem::replace(&mut last, next);
        members.push(tokio::spawn(async move {
            while let Some(token) = input.recv().await {
                if out.send(token).await.is_err() {
                    break;
                }
            }
        }));
    }
    let start = Instant::now();
    for _ in 0..n {
        for lap in 0..LAPS {
            first.send(lap).await.unwrap();
            keep(last.recv().await.unwrap());
        }
    }
    let elapsed = start.elapsed();
    drop(first);
    for member in members {
        member.await.unwrap();
    }
    elapsed
}

fn skynet_node(up: mpsc::Sender<u64>, first: u64, size: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if size == 1 {
            up.send(first).await.unwrap();
            return;
        }
        let (sums, mut children) = mpsc::channel(10);
        for i in 0..10 {
            tokio::spawn(skynet_node(sums.clone(), first + i * (size / 10), size / 10));
        }
        let mut sum = 0;
        for _ in 0..10 {
            sum += children.recv().await.unwrap();
        }
        up.send(sum).await.unwrap();
    })
}

async fn skynet(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let (up, mut top) = mpsc::channel(1);
        tokio::spawn(skynet_node(up, 0, LEAVES));
        assert_eq!(top.recv().await.unwrap(), LEAVES * (LEAVES - 1) / 2);
    }
    start.elapsed()
}

async fn sleepers(n: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let nap = |i| tokio::spawn(tokio::time::sleep(Duration::from_millis(1 + i % 100)));
        let tasks: Vec<_> = (0..SLEEPERS).map(nap).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    start.elapsed()
}

async fn mutex(n: u64, held: bool) -> Duration {
    let counter = Arc::new(Mutex::new(0));
    let start = Instant::now();
    for _ in 0..n {
        let locker = |counter: Arc<Mutex<u64>>| {
            tokio::spawn(async move {
                for _ in 0..LOCKS_EACH {
                    let mut value = counter.lock().await;
                    *value += 1;
                    if held {
                        yield_now().await;
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..LOCKERS).map(|_| locker(counter.clone())).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    let elapsed = start.elapsed();
    assert_eq!(*counter.lock().await, n * LOCKERS * LOCKS_EACH);
    elapsed
}
