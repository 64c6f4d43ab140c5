use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Whether the response head has left: then no cookie can be sent any more.
#[derive(Default)]
pub(super) struct HeadersSent(AtomicBool);

// Each side writes, then looks at what the other writes: the layer marks the headers as sent and looks for a session, a
// task loads one and looks for the mark. The fences see to it that at least one of the two finds the other's.
impl HeadersSent {
    pub(super) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(super) fn is_marked(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed)
    }

    /// With exclusive access, which needs no fence.
    pub(super) fn get_mut(&mut self) -> bool {
        *self.0.get_mut()
    }
}
