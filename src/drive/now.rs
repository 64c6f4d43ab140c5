use super::{Driver, publish};
use crate::{
    commit::{Answer, Call, Commit, Done, Next},
    error::Error,
    store::StoreClient,
    time::Timestamp,
};

impl Driver<'_> {
    /// Drives a commit over a store that answers at once, without a future. `None` at its first wait: then
    /// [`drive`](Self::drive) takes the same commit on.
    #[inline]
    pub(crate) fn drive_now(self, commit: &mut Commit, now: Timestamp) -> Option<Done> {
        let policy = self.policy;
        loop {
            match commit.next(now, false, policy) {
                Next::Ask(call) => {
                    let answer = ask_now(self.store, &call);
                    if let Some(event) = commit.answered(answer, now, policy) {
                        publish::event(self.watchers, Some(event));
                    }
                }
                Next::Wait(..) | Next::Run => return None,
                Next::Done(done) => {
                    publish::done(self.watchers, commit, &done);
                    return Some(done);
                }
            }
        }
    }
}

fn ask_now(store: &StoreClient, call: &Call) -> Result<Answer, Error> {
    Ok(match *call {
        Call::Load(handle) | Call::Verify(handle) => Answer::Loaded(store.load(handle).now()?),
        Call::Create(handle, ref record) => Answer::Created(store.create(handle, record).now()?),
        Call::Replace(handle, expected, ref record) => {
            Answer::Replaced(store.replace(handle, expected, record).now()?)
        }
        Call::Regenerate {
            old,
            expected,
            ref tombstone,
            new,
            ref record,
        } => Answer::Replaced(
            store
                .regenerate(old, expected, tombstone, new, record)
                .now()?,
        ),
        Call::Touch(handle, until) => Answer::Touched(store.touch(handle, until.into()).now()?),
        Call::Delete(handle) => Answer::Deleted(store.delete(handle).now()?),
    })
}
