use std::{collections::HashSet, sync::Arc};

use crate::{
    cache::NearCache,
    error::Error,
    expiry::Expiry,
    id::Handle,
    observe,
    record::{CommitIds, Record},
    store::{Ended, StoreClient},
    time::Clock,
    watch::Watchers,
};

/// Ends sessions from outside of the requests that use them.
pub(crate) struct Revoker {
    pub(crate) store: StoreClient,
    pub(crate) clock: Clock,
    pub(crate) expiry: Expiry,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) cache: Arc<NearCache>,
}

/// How often a user's sessions are listed anew because one of them moved to a new id before it could be ended.
const ROUNDS: u32 = 20;

impl Revoker {
    /// Ends one session. Answers whether this call did.
    pub(crate) async fn revoke(&self, handle: Handle) -> Result<bool, Error> {
        let revoking = self.watchers.revoking(handle);
        let _forget = self.cache.forget(handle);
        let has_ended = self.store.delete(handle).answer().await?;
        if has_ended {
            observe::ended(handle);
        }
        revoking.answered(has_ended);
        Ok(has_ended)
    }

    /// Ends all sessions of a user except this one. Answers how many.
    pub(crate) async fn revoke_all(
        &self,
        user: &str,
        except: Option<Handle>,
    ) -> Result<u64, Error> {
        let forget = self.cache.forget_user(user);
        let answer = self.store.delete_user(user, except).answer().await;
        drop(forget);
        // Which ones, the store does not say.
        self.watchers.look_at_all(Ended::Revoked);
        observe::revoked(*answer.as_ref().unwrap_or(&0));
        answer
    }

    /// Ends those sessions of a user that are not kept, also ones that move to a new id meanwhile, and ones that have
    /// expired: a request that found them alive may still keep them so. Answers how many.
    pub(crate) async fn revoke_unless(
        &self,
        user: &str,
        mut keep: impl FnMut(&Record) -> bool,
    ) -> Result<u64, Error> {
        let rest = |mut listed: Vec<(Handle, Record)>| {
            listed.retain(|(_, record)| !keep(record));
            listed
        };
        self.revoke_rest(user, rest).await
    }

    /// Ends all live sessions of a user except the `most` that logged in last. Answers how many.
    ///
    /// Of concurrent calls each keeps the newest of those that it sees, so together they never end more than one that
    /// sees all would.
    pub(crate) async fn keep_newest(&self, user: &str, most: usize) -> Result<u64, Error> {
        let rest = |listed: Vec<(Handle, Record)>| {
            let mut listed = self.live(listed);
            listed.sort_by_key(|(handle, record)| {
                let body = record.body();
                let logged_in = body.authenticated_at.unwrap_or(body.created_at);
                (logged_in, body.created_at, *handle)
            });
            listed.truncate(listed.len().saturating_sub(most));
            listed
        };
        self.revoke_rest(user, rest).await
    }

    async fn revoke_rest(
        &self,
        user: &str,
        mut rest: impl FnMut(Vec<(Handle, Record)>) -> Vec<(Handle, Record)>,
    ) -> Result<u64, Error> {
        let mut ended = 0;
        for _ in 0..ROUNDS {
            let mut is_done = true;
            for (handle, _) in rest(self.store.list(user).answer().await?) {
                match self.revoke(handle).await? {
                    true => ended += 1,
                    // It ended, or it moved and is listed under its new id.
                    false => is_done = false,
                }
            }
            if is_done {
                return Ok(ended);
            }
        }
        Err(Error::conflict())
    }

    /// The live sessions of a user.
    pub(crate) async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        Ok(self.live(self.store.list(user).answer().await?))
    }

    fn live(&self, mut listed: Vec<(Handle, Record)>) -> Vec<(Handle, Record)> {
        let now = self.clock.timestamp();
        listed.retain(|(_, record)| self.expiry.is_live(record, now));
        without_former(listed)
    }
}

/// A session that moves to a new id may be listed under both: in a store that moves in two steps, or if it moves
/// between two of its reads. Under the former it does not count. Its last commit tells: the other has gone on from it.
fn without_former(mut listed: Vec<(Handle, Record)>) -> Vec<(Handle, Record)> {
    let commits = listed.iter().map(|(_, record)| &record.body().commits);
    let earlier: HashSet<_> = commits.flat_map(CommitIds::earlier).collect();
    listed.retain(|(_, record)| {
        let latest = record.body().commits.latest();
        latest.is_none_or(|latest| !earlier.contains(&latest))
    });
    listed
}
