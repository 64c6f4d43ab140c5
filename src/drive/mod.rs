//! Carries out what the [commit](crate::commit) says: talks to the store, waits, and publishes what became of it. The
//! only place that is async, beside loading.

mod now;
mod publish;
mod queue;
mod revoke;
mod user_limit;

use std::time::Duration;

use tokio::time::Instant;

use self::queue::Ticket;
pub(crate) use self::{queue::Queue, revoke::Revoker, user_limit::UserLimit};
use crate::{
    cache::{Asking, NearCache},
    commit::{Answer, Call, Commit, Done, Next, Policy, Ran, SessionState},
    error::Error,
    id::{self, Handle},
    store::StoreClient,
    time::Clock,
    watch::Watchers,
};

/// What a commit is carried out with.
#[derive(Clone, Copy)]
pub(crate) struct Driver<'a> {
    pub(crate) store: &'a StoreClient,
    pub(crate) queue: &'a Queue,
    pub(crate) clock: &'a Clock,
    pub(crate) policy: &'a Policy,
    pub(crate) watchers: &'a Watchers,
    pub(crate) cache: &'a NearCache,
    pub(crate) user_limit: Option<UserLimit<'a>>,
    /// For all waits and retries together.
    pub(crate) time_limit: Duration,
}

impl Driver<'_> {
    /// Drives a commit to its end. Cancel-safe: dropped at any await, the commit knows what is in doubt.
    pub(crate) async fn drive(
        self,
        commit: &mut Commit,
        headers_sent: impl Fn() -> bool,
        mut run: impl FnMut(&mut SessionState) -> Ran,
    ) -> Done {
        let Driver { clock, policy, .. } = self;
        let started = Instant::now();
        let mut ticket = None;
        loop {
            match commit.next(clock.timestamp(), headers_sent(), policy) {
                Next::Ask(call) => {
                    let asking = Asking::begin(self.cache, call, clock.timestamp());
                    let answer = self.ask(call, started).await;
                    asking.answered(&answer);
                    let event = commit.answered(answer, clock.timestamp(), policy);
                    publish::event(self.watchers, event);
                }
                Next::Run => {
                    let ran = run(commit.start_run());
                    commit.ran(ran, clock.timestamp(), policy);
                }
                Next::Wait(handle, conflicts) => {
                    match self.wait(&mut ticket, handle, conflicts, started).await {
                        Ok(()) => {
                            let known = commit.unit().version();
                            let newer = ticket.as_ref().zip(known);
                            let newer =
                                newer.and_then(|(ticket, known)| ticket.published_after(known));
                            publish::event(
                                self.watchers,
                                commit.waited(newer, clock.timestamp(), policy),
                            );
                        }
                        Err(OutOfTime) => commit.give_up(),
                    }
                }
                Next::Done(done) => {
                    publish::done(self.watchers, commit, &done);
                    if let (Done::Settled(settled), Some(ticket)) = (&done, &mut ticket)
                        && let Some(stored) = settled.base.live()
                    {
                        ticket.publish(stored.handle, &stored.record);
                    }
                    if let Some((limit, user)) = self.exceeding_login(commit, &done) {
                        Box::pin(limit.enforce(user)).await;
                    }
                    return done;
                }
            }
        }
    }

    /// The user whom a commit has logged in, if the number of their sessions is limited.
    fn exceeding_login<'c>(
        &self,
        commit: &'c Commit,
        done: &Done,
    ) -> Option<(UserLimit<'_>, &'c str)> {
        let limit = self.user_limit?;
        let state = commit.unit().state();
        let is_login = matches!(done, Done::Settled(_)) && state.has_login();
        Some((limit, state.user().filter(|_| is_login)?))
    }

    async fn ask(self, call: Call<'_>, started: Instant) -> Result<Answer, Error> {
        let store = self.store;
        Ok(match call {
            Call::Load(handle) => Answer::Loaded(store.load(handle).answer().await?),
            Call::Verify(handle) => {
                let load = store.load(handle).within(self.time_to_verify(started));
                Answer::Loaded(load.answer().await?)
            }
            Call::Create(handle, record) => {
                Answer::Created(store.create(handle, record).answer().await?)
            }
            Call::Replace(handle, expected, record) => {
                Answer::Replaced(store.replace(handle, expected, record).answer().await?)
            }
            Call::Regenerate {
                old,
                expected,
                tombstone,
                new,
                record,
            } => {
                let asked = store.regenerate(old, expected, tombstone, new, record);
                Answer::Replaced(asked.answer().await?)
            }
            Call::Touch(handle, until) => {
                Answer::Touched(store.touch(handle, until.into()).answer().await?)
            }
            Call::Delete(handle) => Answer::Deleted(store.delete(handle).answer().await?),
        })
    }

    /// What is left of the time limit, and at least a fifth of it.
    fn time_to_verify(self, started: Instant) -> Duration {
        let left = self.time_limit.saturating_sub(started.elapsed());
        left.max(self.time_limit / 5)
    }

    /// After the first conflict it queues behind the commits of this process; after a further one, whose cause is
    /// another process, it pauses for a random time.
    async fn wait<'q>(
        &'q self,
        ticket: &mut Option<Ticket<'q>>,
        handle: Handle,
        conflicts: u32,
        started: Instant,
    ) -> Result<(), OutOfTime> {
        match ticket {
            None => {
                let mut taken = self.queue.join(handle);
                // Boxed, as conflicts are rare: it would make the future of every commit larger.
                Box::pin(tokio::time::timeout(self.time_limit, taken.wait()))
                    .await
                    .map_err(|_| OutOfTime)?;
                *ticket = Some(taken);
                Ok(())
            }
            Some(_) => {
                let pause = jitter(conflicts);
                if started.elapsed() + pause >= self.time_limit {
                    return Err(OutOfTime);
                }
                Box::pin(tokio::time::sleep(pause)).await;
                Ok(())
            }
        }
    }
}

/// The time limit is used up by conflicts.
struct OutOfTime;

/// A random time of up to a millisecond, doubled by each conflict, up to 64 ms.
fn jitter(conflicts: u32) -> Duration {
    let most = 1_000_u64 << conflicts.min(6);
    let [first, second, ..] = id::random();
    let part = u64::from(u16::from_ne_bytes([first, second]));
    Duration::from_micros(part * most / u64::from(u16::MAX))
}
