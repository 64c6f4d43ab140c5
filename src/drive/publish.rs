//! The one place that publishes what a commit did, as events and metrics.

use crate::{
    commit::{Done, Event},
    observe,
};

#[inline]
pub(super) fn event(event: Option<Event>) {
    match event {
        None => {}
        Some(Event::Created(handle)) => {
            observe::created(handle);
            observe::committed();
        }
        Some(Event::Replaced) => observe::committed(),
        Some(Event::Moved { from, to }) => {
            observe::regenerated(from, to);
            observe::committed();
        }
        Some(Event::Ended(handle)) => {
            observe::ended(handle);
            observe::committed();
        }
        Some(Event::Replayed) => observe::replayed(),
        Some(Event::TouchFailed(handle, error)) => observe::touch_failed(handle, &error),
    }
}

#[inline]
pub(super) fn done(done: &Done) {
    if let Done::Settled(settled) = done
        && settled.discards
    {
        observe::discarded();
    }
}
