//! tokio's mpsc where one task receives, the async-channel crate where several do. Neither has a rendezvous: where
//! spool has one, these hold one message.
use crate::measure::{keep, tokio_row};
use crate::work::{rounds_in, spin};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const BATCH: u64 = 10_000;
const MPMC_MESSAGES: u64 = 100_000;
const WORK_MESSAGES: u64 = 10_000;
const SELECT_MESSAGES: u64 = 10_000;
const PAIRS: u64 = 2;

pub fn run(row: &str, threads: usize) {
    match row {
        "pingpong" => tokio_row(row, threads, "", 1, pingpong),
        "buffered" => {
            for capacity in [1, 100, 1000] {
                let params = format!("capacity:{}", capacity);
                tokio_row(row, threads, &params, BATCH, move |n| buffered(n, capacity));
            }
        }
        "send_recv" => tokio_row(row, threads, "", 1, send_recv),
        "mpmc" => {
            for side in [4, 100] {
                let params = format!("side:{}", side);
                tokio_row(row, threads, &params, MPMC_MESSAGES, move |n| mpmc(n, side, MPMC_MESSAGES, 0));
            }
        }
        "mpmc_work" => {
            for us in [1, 10] {
                let rounds = rounds_in(Duration::from_micros(us));
                let params = format!("us:{}", us);
                tokio_row(row, threads, &params, WORK_MESSAGES, move |n| mpmc(n, 4, WORK_MESSAGES, rounds));
            }
        }
        "try_send_full" => tokio_row(row, threads, "", 1, try_send_full),
        "try_recv_empty" => tokio_row(row, threads, "", 1, try_recv_empty),
        "select_ready" => tokio_row(row, threads, "", 1, select_ready),
        "select_contended" => tokio_row(row, threads, "", SELECT_MESSAGES, select_contended),
        _ => {}
    }
}

async fn pingpong(n: u64) -> Duration {
    let (there, mut there_rx) = mpsc::channel(1);
    let (back, mut back_rx) = mpsc::channel(1);
    let partner = tokio::spawn(async move {
        while let Some(value) = there_rx.recv().await {
            back.send(value).await.unwrap();
        }
    });
    let start = Instant::now();
    for _ in 0..n {
        there.send(1).await.unwrap();
        keep(back_rx.recv().await.unwrap());
    }
    let elapsed = start.elapsed();
    drop(there);
    partner.await.unwrap();
    elapsed
}

async fn buffered(n: u64, capacity: usize) -> Duration {
    let (tx, mut rx) = mpsc::channel(capacity);
    let producer = tokio::spawn(async move {
        let mut i = 0;
        while tx.send(i).await.is_ok() {
            i += 1;
        }
    });
    let start = Instant::now();
    for _ in 0..n * BATCH {
        keep(rx.recv().await.unwrap());
    }
    let elapsed = start.elapsed();
    drop(rx);
    producer.await.unwrap();
    elapsed
}

async fn send_recv(n: u64) -> Duration {
    let (tx, mut rx) = mpsc::channel(100);
    let start = Instant::now();
    for _ in 0..n {
        tx.send(1).await.unwrap();
        keep(rx.recv().await.unwrap());
    }
    start.elapsed()
}

async fn mpmc(n: u64, side: u64, messages: u64, rounds: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..n {
        let (tx, rx) = async_channel::bounded(100);
        let mut tasks = Vec::new();
        for _ in 0..side {
            let (tx, rx) = (tx.clone(), rx.clone());
            tasks.push(tokio::spawn(async move {
                while let Ok(value) = rx.recv().await {
                    keep(value);
                    if rounds > 0 {
                        spin(rounds);
                    }
                }
            }));
            tasks.push(tokio::spawn(async move {
                for _ in 0..messages / side {
                    tx.send(1).await.unwrap();
                }
            }));
        }
        drop((tx, rx));
        for task in tasks {
            task.await.unwrap();
        }
    }
    start.elapsed()
}

async fn try_send_full(n: u64) -> Duration {
    let (tx, _rx) = mpsc::channel(1);
    tx.send(1).await.unwrap();
    let start = Instant::now();
    for _ in 0..n {
        keep(tx.try_send(2).is_ok());
    }
    start.elapsed()
}

async fn try_recv_empty(n: u64) -> Duration {
    let (_tx, mut rx) = mpsc::channel::<i32>(1);
    let start = Instant::now();
    for _ in 0..n {
        keep(rx.try_recv().is_ok());
    }
    start.elapsed()
}

async fn select_ready(n: u64) -> Duration {
    let (a, mut a_rx) = mpsc::channel(1);
    let (b, mut b_rx) = mpsc::channel(1);
    let mut sum = 0;
    let start = Instant::now();
    for i in 0..n {
        if i % 2 == 0 { &a } else { &b }.send(1).await.unwrap();
        tokio::select! {
            v = a_rx.recv() => sum += v.unwrap(),
            v = b_rx.recv() => sum -= v.unwrap(),
        }
    }
    keep(sum);
    start.elapsed()
}

async fn select_contended(n: u64) -> Duration {
    let (a, a_rx) = async_channel::bounded(1);
    let (b, b_rx) = async_channel::bounded(1);
    let start = Instant::now();
    for _ in 0..n {
        let mut tasks = Vec::new();
        for _ in 0..PAIRS {
            let (a, b, a_rx, b_rx) = (a.clone(), b.clone(), a_rx.clone(), b_rx.clone());
            tasks.push(tokio::spawn(async move {
                for _ in 0..SELECT_MESSAGES / PAIRS {
                    tokio::select! {
                        sent = a.send(1) => sent.unwrap(),
                        sent = b.send(2) => sent.unwrap(),
                    }
                }
            }));
            tasks.push(tokio::spawn(async move {
                let mut sum = 0;
                for _ in 0..SELECT_MESSAGES / PAIRS {
                    tokio::select! {
                        v = a_rx.recv() => sum += v.unwrap(),
                        v = b_rx.recv() => sum -= v.unwrap(),
                    }
                }
                keep(sum);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    start.elapsed()
}
