// Threads that wait in what Rust's standard library builds on futexes. Prints its truth as JSON
// lines, then {"ready":true}.
//
// SPDX-License-Identifier: GPL-3.0-or-later
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::Duration;

extern "C" {
    fn gettid() -> i32;
}

fn tell(kind: &str, site: &str) {
    println!("{{\"tid\":{},\"wait\":\"{}\",\"site\":\"{}\"}}", unsafe { gettid() }, kind, site);
}

#[inline(never)]
fn wants_mutex(mutex: &Mutex<u32>) {
    *mutex.lock().unwrap() += 1;
}

#[inline(never)]
fn wants_to_read(lock: &RwLock<u32>) -> u32 {
    *lock.read().unwrap()
}

#[inline(never)]
fn wants_to_write(lock: &RwLock<u32>) {
    *lock.write().unwrap() += 1;
}

#[inline(never)]
fn wants_to_be_notified(mutex: &Mutex<u32>, condition: &Condvar) {
    let mut guard = mutex.lock().unwrap();
    while *guard == 0 {
        guard = condition.wait(guard).unwrap();
    }
}

#[inline(never)]
fn is_parked() {
    loop {
        thread::park();
    }
}

#[inline(never)]
fn wants_a_message(channel: &mpsc::Receiver<u32>) -> u32 {
    let received = channel.recv();
    std::hint::black_box(&received);
    received.unwrap_or(0)
}

fn main() {
    let mutex = Arc::new(Mutex::new(0u32));
    let lock = Arc::new(RwLock::new(0u32));
    let queue = Arc::new((Mutex::new(0u32), Condvar::new()));
    let told = Arc::new(Barrier::new(7));
    let (sender, channel) = mpsc::channel::<u32>();
    let _held = mutex.lock().unwrap();
    let _written = lock.write().unwrap();
    let start = |kind: &'static str, site: &'static str, work: Box<dyn FnOnce() + Send>| {
        let told = told.clone();
        thread::spawn(move || {
            tell(kind, site);
            told.wait();
            work();
        });
    };
    let (m, r, w, q) = (mutex.clone(), lock.clone(), lock.clone(), queue.clone());
    start("mutex", "wants_mutex", Box::new(move || wants_mutex(&m)));
    start("rwlock (read)", "wants_to_read", Box::new(move || { wants_to_read(&r); }));
    start("rwlock (write)", "wants_to_write", Box::new(move || wants_to_write(&w)));
    start("condition variable", "wants_to_be_notified",
          Box::new(move || wants_to_be_notified(&q.0, &q.1)));
    start("park", "is_parked", Box::new(is_parked));
    start("park", "wants_a_message", Box::new(move || { wants_a_message(&channel); }));
    told.wait();
    thread::sleep(Duration::from_millis(200));
    println!("{{\"ready\":true}}");
    thread::sleep(Duration::from_secs(600));
    drop(sender);
}
