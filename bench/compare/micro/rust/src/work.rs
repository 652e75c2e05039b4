use crate::measure::keep;
use std::time::{Duration, Instant};

/// Computes for a time that depends on `rounds` alone: the same xorshift steps as in bench/support/work.hpp.
#[inline(never)]
pub fn spin(rounds: u64) {
    let mut x = rounds | 1;
    for _ in 0..rounds {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    keep(x);
}

pub fn rounds_in(duration: Duration) -> u64 {
    const TRIAL: u64 = 1_000_000;
    let once = || {
        let start = Instant::now();
        spin(TRIAL);
        start.elapsed()
    };
    let best = (0..10).map(|_| once()).min().unwrap();
    (TRIAL as f64 * duration.as_secs_f64() / best.as_secs_f64()) as u64
}
