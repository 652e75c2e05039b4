use std::future::Future;
use std::time::Duration;

const ENOUGH: Duration = Duration::from_millis(200);

pub fn runtime(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_time().build().unwrap()
}

pub fn emit(row: &str, case: &str, system: &str, metrics: &[(&str, f64)]) {
    let figures: Vec<String> = metrics.iter().map(|(name, value)| format!("\"{}\": {:.3}", name, value)).collect();
    println!(
        "{{\"row\": \"{}\", \"case\": \"{}\", \"system\": \"{}\", \"metrics\": {{{}}}}}",
        row,
        case,
        system,
        figures.join(", ")
    );
}

/// How often to repeat what took `elapsed` for `n` repetitions; None: it took long enough.
fn more(n: u64, elapsed: Duration) -> Option<u64> {
    if elapsed >= ENOUGH {
        return None;
    }
    let wanted = n as f64 * 1.2 * ENOUGH.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
    Some((wanted as u64).clamp(n + 1, n * 100))
}

/// Runs `body(n)` on a worker of its own runtime, with n grown until it takes long enough, and prints the time of one
/// of the `ops` operations of each repetition.
pub fn tokio_row<F, Fut>(row: &str, threads: usize, params: &str, ops: u64, body: F)
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Duration> + Send + 'static,
{
    run_tokio(row, threads, params, ops, 1, body)
}

/// The same for what takes a second or so: three repetitions after one to warm up.
pub fn heavy_tokio_row<F, Fut>(row: &str, threads: usize, ops: u64, body: F)
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Duration> + Send + 'static,
{
    run_tokio(row, threads, "", ops, 3, body)
}

fn run_tokio<F, Fut>(row: &str, threads: usize, params: &str, ops: u64, first: u64, body: F)
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Duration> + Send + 'static,
{
    let measured = async move {
        body(1).await;
        let mut n = first;
        loop {
            let elapsed = body(n).await;
            match more(n, elapsed) {
                Some(next) => n = next,
                None => return elapsed.as_nanos() as f64 / n as f64 / ops as f64,
            }
        }
    };
    // block_on's own future runs on the calling thread, which would be one more than the workers.
    let op_ns = runtime(threads).block_on(async { tokio::spawn(measured).await.unwrap() });
    emit(row, format!("threads:{} {}", threads, params).trim_end(), "tokio", &[("op_ns", op_ns)]);
}

/// A row on plain threads, as many as it says itself.
pub fn thread_row(row: &str, params: &str, system: &str, ops: u64, body: impl Fn(u64) -> Duration) {
    let mut n = 1;
    loop {
        let elapsed = body(n);
        match more(n, elapsed) {
            Some(next) => n = next,
            None => {
                let op_ns = elapsed.as_nanos() as f64 / n as f64 / ops as f64;
                return emit(row, format!("threads:2 {}", params).trim_end(), system, &[("op_ns", op_ns)]);
            }
        }
    }
}

/// Keeps a result that nobody uses from being optimized away.
pub fn keep<T: Copy>(value: T) -> T {
    unsafe { std::ptr::read_volatile(&value) }
}
