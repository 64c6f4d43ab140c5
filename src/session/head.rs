use std::sync::atomic::{AtomicBool, Ordering, fence};

/// The head of the response: once it has left, no cookie can be sent any more.
#[derive(Default)]
pub(super) struct Head(AtomicBool);

// Each side writes, then looks at what the other writes: the layer lets the head leave and looks for a session, a task
// loads one and looks for the head. The fences see to it that at least one of the two finds the other's.
impl Head {
    pub(super) fn leave(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn has_left(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed)
    }

    /// The same where nobody else can look any more, which takes no fence.
    pub(super) fn had_left(&mut self) -> bool {
        *self.0.get_mut()
    }
}
