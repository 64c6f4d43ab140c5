//! The session of a request: its handle, what it wants done, and the commit.

mod base;
mod commit;
mod finish;
mod headers_sent;
mod intent;
mod load;
mod plan;
mod queue;
mod request;
mod shared;
mod state;
mod step;
mod transaction;
mod wiz_session;

pub(crate) use self::{
    finish::{Commit, Finish, Finished},
    queue::Queue,
    request::RequestSession,
    shared::Shared,
    wiz_session::SessionExtension,
};
pub use self::{transaction::Transaction, wiz_session::WizSession};
