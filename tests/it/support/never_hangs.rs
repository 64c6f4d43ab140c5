use std::{
    panic::resume_unwind,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use tokio::runtime;
use wiz_session::{MemoryStore, WizSessionLayer};

use super::{Browser, Intruder, TestStore, key};

/// Lets a visitor do this, whose session holds `a = 1`, with a store that answers at once and one that does not. Not on
/// this thread, as it could never be told that it hangs.
pub(crate) fn never_hangs(work: impl AsyncFn(Browser) + Copy + Send + 'static) {
    for is_immediate in [true, false] {
        let (alive, watch) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let _alive = alive;
            let layer = match is_immediate {
                true => WizSessionLayer::new(MemoryStore::new(), key(1)),
                false => WizSessionLayer::new(TestStore::new(), key(1)),
            };
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut browser = Browser::new(layer);
                browser.write("a", 1).await;
                work(browser).await;
            });
            Intruder::leave();
        });
        match watch.recv_timeout(Duration::from_secs(30)) {
            Err(RecvTimeoutError::Timeout) => panic!("it hangs; immediate: {is_immediate}"),
            _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        }
    }
}
