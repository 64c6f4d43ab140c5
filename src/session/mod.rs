//! What a handler holds: the session of one request.
//!
//! ```text
//!  request ──▶ layer ──▶ RequestSession (unread) ──▶ handler
//!                              │  first use: load, Cookie header ▶ Found
//!                              │  get, user, …: what was found, as long as nothing is changed
//!                              │  set, …: the state that is made of it, under a lock
//!                              │  save, reload, transaction: io
//!  response ◀── layer ◀── finish ◀── handler answered
//!                              │  nothing pending: done
//!                              └▶ commit, driven by drive
//! ```
//!
//! The way of a change from `set` to the store. What stands in brackets does what its name says, and need not be
//! opened:
//!
//! | | |
//! |---|---|
//! | `session/wiz_session` | `set`: encodes the value (`RequestSession::edit`: locks the state) |
//! | `change/view` | `Draft::apply`: logs the operation, if it changes something and fits (`Ops::add`) |
//! | `layer/future` | `poll`: the handler has answered; applies what comes of the commit to the response |
//! | `session/finish` | `finish`: whether there is something to commit, at once or in a future |
//! | `commit/plan` | `plan`: which write; `to_record`: what it stores (`Data::with_edits`) |
//! | `commit/write`, or `commit/machine` | the plain way, over a store that answers at once; all else |
//! | `commit/replacing` | which record replaces which; what an answer means |
//! | `drive/now`, or `drive` | asks the store (`StoreClient::replace`), publishes the event |

mod account;
mod alias_entry;
mod config;
#[cfg(feature = "dbsc")]
mod device;
mod finish;
mod headers_sent;
mod io;
mod load;
mod request;
mod shared;
mod transaction;
mod watching;
mod wiz_session;

pub(crate) use self::{
    alias_entry::AliasEntry,
    config::LayerConfig,
    finish::{CommitFuture, Finish, Finished},
    request::RequestSession,
    wiz_session::SessionExtension,
};
pub use self::{transaction::Transaction, wiz_session::WizSession};
