use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

/// Tells a plain thread that all jobs have run; bench/support/countdown.hpp in Rust.
#[derive(Default)]
pub struct Countdown {
    left: AtomicU64,
    finished: Mutex<bool>,
    changed: Condvar,
}

impl Countdown {
    pub fn start(&self, jobs: u64) {
        *self.finished.lock().unwrap() = false;
        self.left.store(jobs, Ordering::Release);
    }

    pub fn arrive(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.finished.lock().unwrap() = true;
            self.changed.notify_all();
        }
    }

    pub fn wait(&self) {
        let finished = self.finished.lock().unwrap();
        drop(self.changed.wait_while(finished, |finished| !*finished).unwrap());
    }
}
