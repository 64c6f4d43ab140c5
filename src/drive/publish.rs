//! The one place that publishes what a commit did: as events, as metrics, and to those who watch the session.

use crate::{
    commit::{Base, Commit, Done, Event, Stored},
    observe,
    store::Ended,
    watch::Registry,
};

#[inline]
pub(super) fn event(watched: &Registry, event: Option<Event>) {
    match event {
        None => {}
        Some(Event::Created(handle)) => {
            observe::created(handle);
            observe::committed();
        }
        Some(Event::Replaced) => observe::committed(),
        Some(Event::Moved { from, to }) => {
            observe::regenerated(from, to);
            watched.ended(from, Ended::Moved);
            observe::committed();
        }
        Some(Event::Ended(handle)) => {
            observe::ended(handle);
            watched.ended(handle, Ended::LoggedOut);
            observe::committed();
        }
        Some(Event::Replayed) => observe::replayed(),
        Some(Event::TouchFailed(handle, error)) => observe::touch_failed(handle, &error),
    }
}

#[inline]
pub(super) fn done(watched: &Registry, commit: &Commit, done: &Done) {
    let Done::Settled(settled) = done else {
        return;
    };
    if settled.discards {
        observe::discarded();
    }
    if watched.is_empty() {
        return;
    }
    match &settled.base {
        Base::Live(stored) => self::stored(watched, stored),
        // Why it is gone was not said.
        Base::Gone => {
            if let Some(stored) = commit.unit().state().base.live() {
                watched.look_soon(stored.handle);
            }
        }
        Base::New => {}
    }
}

#[inline]
pub(super) fn stored(watched: &Registry, stored: &Stored) {
    watched.stored(stored.handle, &stored.record);
}
