//! The rows of spool_bench on tokio, at one and two workers, and on crossbeam-channel between threads.
//! usage: micro_rust tokio|crossbeam ROW
mod countdown;
mod crossbeam_rows;
mod measure;
mod memory;
mod tokio_channels;
mod tokio_jobs;
mod tokio_tasks;
mod work;

use std::env;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["tokio", row @ ("parked_fibers" | "queued_jobs")] => memory::in_fresh_processes(row),
        ["tokio", row, threads] => memory::run(row, threads.parse().expect("a number of threads")),
        ["tokio", row] => {
            for threads in [1, 2] {
                tokio_tasks::run(row, threads);
                tokio_channels::run(row, threads);
                tokio_jobs::run(row, threads);
            }
        }
        ["crossbeam", row] => crossbeam_rows::run(row),
        _ => {
            eprintln!("usage: micro_rust tokio|crossbeam ROW");
            std::process::exit(1);
        }
    }
}
