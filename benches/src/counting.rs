//! A global allocator that counts on request. Off, it costs a load and a branch.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed},
};

pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicIsize = AtomicIsize::new(0);

pub struct Counts {
    /// Allocations and reallocations.
    pub calls: usize,
    /// What they asked for.
    pub bytes: usize,
    /// How many bytes more are held now than before.
    pub live: isize,
}

/// Counts what `run` allocates, on all threads.
pub fn count(run: impl FnOnce()) -> Counts {
    CALLS.store(0, Relaxed);
    BYTES.store(0, Relaxed);
    LIVE.store(0, Relaxed);
    ON.store(true, Relaxed);
    run();
    ON.store(false, Relaxed);
    Counts {
        calls: CALLS.load(Relaxed),
        bytes: BYTES.load(Relaxed),
        live: LIVE.load(Relaxed),
    }
}

fn note(taken: usize, returned: usize) {
    if !ON.load(Relaxed) {
        return;
    }
    if taken > 0 {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(taken, Relaxed);
    }
    LIVE.fetch_add(taken as isize - returned as isize, Relaxed);
}

// SAFETY: every call is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}
