use super::{
    data::Data,
    op::Ops,
    view::{Changes, Draft},
};
use crate::error::Error;

/// Changes that were given to a commit whose outcome is not known yet. They stay visible to the request, and have to
/// be handed back: [acknowledged](Changes::ack) once they are stored, [aborted](Changes::abort) once it is certain that
/// they are not.
#[derive(Debug)]
#[must_use = "changes in flight are handed back by `ack` or `abort`"]
pub(crate) struct InFlight(());

impl InFlight {
    /// Of changes that nobody else can see any more.
    pub(crate) fn nothing() -> Self {
        Self(())
    }
}

/// What is in flight, and how later operations are kept meanwhile.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) ops: Ops,
    /// Every later operation is kept, even one that changes nothing: it is not known what it will be applied to.
    pub(super) keeps_all: bool,
}

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
            let worth = |op: &super::op::Op| keeps || op.value() != before(&key);
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
