use std::{
    cell::{Cell, RefCell},
    io,
    sync::Once,
};

use tracing::level_filters::LevelFilter;

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    static HOOK: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Every line that this thread logs, at every level, while it lives.
pub(crate) struct Log(());

impl Log {
    /// One subscriber serves all tests: what two of them on two threads want to see is otherwise a race, as `tracing`
    /// asks once for each event whether anybody listens.
    pub(crate) fn capture() -> Self {
        static SUBSCRIBE: Once = Once::new();
        SUBSCRIBE.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(|| Lines)
                .init();
        });
        LINES.set(Some(Vec::new()));
        Self(())
    }

    /// Runs this whenever the thread has logged a line, inside of the subscriber.
    pub(crate) fn at_each_line(&self, hook: fn()) {
        HOOK.set(Some(hook));
    }

    pub(crate) fn text(&self) -> String {
        let lines = LINES.with_borrow(Clone::clone).unwrap_or_default();
        String::from_utf8(lines).expect("the log is text")
    }

    /// How many lines hold this.
    pub(crate) fn count(&self, part: &str) -> usize {
        let text = self.text();
        text.lines().filter(|line| line.contains(part)).count()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LINES.set(None);
        HOOK.set(None);
    }
}

/// What this thread has logged, if anybody wants to know.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.extend_from_slice(bytes);
            }
        });
        if let Some(hook) = HOOK.get() {
            hook();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
