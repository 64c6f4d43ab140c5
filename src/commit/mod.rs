//! The commit: a state machine without I/O, clock or lock. It is told what happened, and says what is to be done next.
//!
//! ```text
//!             ┌──────── Ending ───────┐ (clear)
//!  Planning ──┼──────── Creating ─────┼──▶ Done ─▶ ack(in_flight)
//!    ▲  │     ├──────── Replacing ────┤      ▲
//!    │  │     ├──────── Moving ───────┤      │ found
//!    │  │     └─ Refreshing ▶ Touching┘      │
//!    │  └─▶ Run (transaction)  │             │
//!    │                conflict │   │ answer  │
//!    │                         ▼   │ unknown │
//!    └── rebase ◀─ Refreshing ◀ Waiting      │
//!    ▲                             └───▶ Verifying
//!    └── not found ◀───────────────────────┘
//! ```
//!
//! - A [`Unit`] of work is named before its first call to the store, by a commit id and, where there is one, the new
//!   session id. A record carries the ids of its last commits.
//! - An answer that is an error says nothing of what the store did. The unit is then *in doubt*: `Verifying` looks it up
//!   before anything else is done. Found, the commit goes on as if the answer had come. Not found, the error is passed
//!   on, and the unit is kept with its names, so that another try does it once.
//! - A conflict, an id in use or a missing record may be the unit's own doing, where a store sent it twice: `Refreshing`
//!   and `Verifying` look for its commit id first.
//! - Over a store that answers at once, most commits are a single [`Write`] that is stored by its first call. It is the
//!   plain way through the machine: the same states' values, without a unit of work. Any other answer begins a commit in
//!   that state.
//! - The driver, in [`drive`](crate::drive), carries out what [`next`](Commit::next) says, tells
//!   [`answered`](Commit::answered) what came of it, and publishes the [`Event`]s.

mod abandoned;
mod base;
mod call;
mod cookie_action;
mod creating;
mod ending;
mod endings;
mod found;
mod intent;
mod machine;
mod moving;
mod plan;
mod refreshing;
mod replacing;
mod settle;
mod state;
mod touching;
mod turn;
mod unit;
mod verifying;
mod work;
mod write;

#[cfg(test)]
mod test;

pub(crate) use self::{
    base::{Base, Stored},
    call::{Answer, Call, Done, Event, Next, Policy, Ran, Settled},
    cookie_action::CookieAction,
    found::Found,
    machine::Commit,
    plan::Plan,
    state::SessionState,
    turn::Written,
    unit::Unit,
    write::{Unwritten, Write},
};
