use super::{Driver, publish};
use crate::{
    commit::{
        Answer, Call, Commit, CookieAction, Done, Next, Stored, Unit, Unwritten, Write, Written,
    },
    error::Error,
    store::StoreClient,
    time::Timestamp,
};

impl Driver<'_> {
    /// Stores a write, over a store that answers at once.
    ///
    /// # Errors
    /// Unless it is stored by now: then a commit [takes it over](Self::take_over).
    #[inline]
    pub(crate) fn write_now(
        self,
        write: Write,
    ) -> Result<(Stored, Option<CookieAction>), Box<Unwritten>> {
        let answer = ask_now(self.store, write.call());
        let Written {
            stored,
            cookie,
            event,
        } = write.answered(answer)?;
        publish::event(self.watchers, Some(event));
        publish::stored(self.watchers, &stored);
        Ok((stored, cookie))
    }

    /// The commit that goes on from a write of this unit.
    #[cold]
    pub(crate) fn take_over(self, unit: Unit, unwritten: Unwritten, now: Timestamp) -> Commit {
        let (commit, event) = Commit::unwritten(unit, unwritten, now, self.policy);
        publish::event(self.watchers, event);
        commit
    }

    /// Drives a commit over a store that answers at once, without a future. `None` at its first wait: then
    /// [`drive`](Self::drive) continues the same commit.
    #[inline]
    pub(crate) fn drive_now(
        self,
        commit: &mut Commit,
        now: Timestamp,
        headers_sent: bool,
    ) -> Option<Done> {
        let policy = self.policy;
        loop {
            match commit.next(now, headers_sent, policy) {
                Next::Ask(call) => {
                    let answer = ask_now(self.store, call);
                    publish::event(self.watchers, commit.answered(answer, now, policy));
                }
                Next::Wait(..) | Next::Run => return None,
                Next::Done(done) => {
                    publish::done(self.watchers, commit, &done);
                    if let Some((limit, user)) = self.exceeding_login(commit, &done) {
                        limit.enforce_now(user);
                    }
                    return Some(done);
                }
            }
        }
    }
}

#[inline]
fn ask_now(store: &StoreClient, call: Call<'_>) -> Result<Answer, Error> {
    Ok(match call {
        Call::Load(handle) | Call::Verify(handle) => Answer::Loaded(store.load(handle).now()?),
        Call::Create(handle, record) => Answer::Created(store.create(handle, record).now()?),
        Call::Replace(handle, expected, record) => {
            Answer::Replaced(store.replace(handle, expected, record).now()?)
        }
        Call::Regenerate {
            old,
            expected,
            tombstone,
            new,
            record,
        } => Answer::Replaced(
            store
                .regenerate(old, expected, tombstone, new, record)
                .now()?,
        ),
        Call::Touch(handle, until) => Answer::Touched(store.touch(handle, until.into()).now()?),
        Call::Delete(handle) => Answer::Deleted(store.delete(handle).now()?),
    })
}
