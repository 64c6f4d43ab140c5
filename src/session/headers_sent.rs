use std::sync::atomic::{AtomicBool, Ordering, fence};

/// The head of the response: once it has left, no cookie can be sent any more.
#[derive(Default)]
pub(super) struct HeadersSent(AtomicBool);

// Each side writes, then looks at what the other writes: the layer lets the head leave and looks for a session, a task
// loads one and looks for the head. The fences see to it that at least one of the two finds the other's.
impl HeadersSent {
    pub(super) fn leave(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn is_marked(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed)
    }

    /// The same where nobody else can look any more, which takes no fence.
    pub(super) fn was_marked(&mut self) -> bool {
        *self.0.get_mut()
    }
}
