//! What a handler holds: the session of one request.
//!
//! ```text
//!  request ──▶ layer ──▶ RequestSession (unread) ──▶ handler
//!                              │  first use: load, Cookie header ▶ Base
//!                              │  get, set, …: the state, under a lock
//!                              │  save, reload, transaction: io
//!  response ◀── layer ◀── finish ◀── handler answered
//!                              │  nothing pending: done
//!                              └▶ commit, driven by drive
//! ```

mod config;
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
    config::LayerConfig,
    finish::{CommitFuture, Finish, Finished},
    request::RequestSession,
    wiz_session::SessionExtension,
};
pub use self::{transaction::Transaction, wiz_session::WizSession};
