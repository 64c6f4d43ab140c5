//! How far a scan or a sweep has come.

use std::vec;

use parking_lot::Mutex;

use crate::id::Handle;

/// Iterates over all records, node by node and page by page. Every record that exists throughout is found, some of them
/// twice.
pub(super) struct Scan {
    pub(super) nodes: vec::IntoIter<Node>,
    pub(super) here: Option<(Node, u64)>,
}

/// A slot of the node, `None` for a single server.
pub(super) type Node = Option<u16>;

/// A sweep over all records, which may take many calls.
pub(super) struct Sweep {
    pub(super) scan: Scan,
    /// Records of the last page that had expired, and are not yet deleted.
    pub(super) due: Vec<Handle>,
}

/// The sweep that the next call goes on with. Without it, each would have to pass all records that those before it
/// found alive.
#[derive(Default)]
pub(super) struct PausedSweep(Mutex<Option<Sweep>>);

/// A sweep under way. When it is dropped, by an error and a cancelled call too, it is paused.
pub(super) struct RunningSweep<'a> {
    pub(super) sweep: Option<Sweep>,
    paused: &'a PausedSweep,
}

impl PausedSweep {
    pub(super) fn resume(&self) -> Option<RunningSweep<'_>> {
        let sweep = self.0.lock().take()?;
        Some(self.begin(sweep))
    }

    pub(super) fn begin(&self, sweep: Sweep) -> RunningSweep<'_> {
        RunningSweep {
            sweep: Some(sweep),
            paused: self,
        }
    }
}

impl Drop for RunningSweep<'_> {
    fn drop(&mut self) {
        if let Some(sweep) = self.sweep.take() {
            *self.paused.0.lock() = Some(sweep);
        }
    }
}
