use super::{
    data::Data,
    in_flight::{Held, InFlight},
    op::Op,
    view::{Changes, Draft},
};
use crate::error::Error;

/// Between what is pending and what is in flight.
impl Changes {
    /// The pending operations are about to be committed, by a copy of these changes.
    pub(crate) fn begin(&mut self) -> InFlight {
        debug_assert!(self.held.is_none(), "one commit at a time");
        self.held = Some(Box::new(Held {
            ops: std::mem::take(&mut self.ops),
            keeps_all: false,
        }));
        InFlight(())
    }

    /// From now on, until the commit is over, every operation is kept: a transaction may change any key.
    pub(crate) fn keep_all(&mut self) {
        if let Some(held) = &mut self.held {
            held.keeps_all = true;
        }
    }

    /// What was in flight is part of this data now. Replays what came later on top of it.
    ///
    /// # Errors
    /// If a later operation cannot be replayed; then nothing is changed but that it is no longer in flight.
    pub(crate) fn ack(&mut self, _: &InFlight, base: Option<&Data>) -> Result<(), Error> {
        self.held = None;
        self.rebase(base)
    }

    /// As [`ack`](Self::ack), but what came later is only marked as to be replayed.
    pub(crate) fn ack_without_replay(&mut self, _: &InFlight, base: Option<&Data>) {
        let held = self.held.take();
        self.discard(held.map(|held| held.ops));
        self.is_stale = !self.ops.is_empty();
        self.measure(base);
    }

    /// What was in flight is not stored, and is pending again, before what came later.
    pub(crate) fn abort(&mut self, _: &InFlight, base: Option<&Data>) {
        let Some(held) = self.held.take() else {
            return;
        };
        let late = std::mem::take(&mut self.ops);
        self.ops = held.ops;
        let keeps = self.keep_redundant;
        let before = |key: &str| base?.get(key);
        for (key, op) in late {
            let place = self.ops.find(&key);
            let worth = |op: &Op| keeps || op.value() != before(&key);
            self.ops.add(place, &key, op, worth, &mut self.discarded);
        }
    }
}

impl Draft<'_> {
    /// What a key holds without the operations that are not in flight.
    pub(super) fn below(&self, key: &str) -> Option<&[u8]> {
        match self
            .changes
            .held
            .as_ref()
            .and_then(|held| held.ops.get(key))
        {
            Some(op) => op.value(),
            None => self.base?.get(key),
        }
    }
}
