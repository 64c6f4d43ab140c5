//! The session of a request: its handle, what it wants done, and the commit.

mod commit;
mod finish;
mod head;
mod intent;
mod load;
mod origin;
mod plan;
mod queue;
mod shared;
mod slot;
mod step;
mod tx;
mod wiz_session;
mod work;

pub(crate) use self::{
    finish::{Commit, Finish, Outcome},
    queue::Queue,
    shared::Shared,
    slot::Slot,
    wiz_session::Mounted,
};
pub use self::{tx::Tx, wiz_session::WizSession};
