use std::time::{Duration, Instant};

use super::{
    base::{Base, Live},
    headers_sent::HeadersSent,
    plan::Plan,
    queue::Turn,
    shared::Shared,
    state::{CookieAction, SessionState, Turnout},
};
use crate::{
    error::Error,
    expiry::Expiry,
    id::{self, Handle, SessionId},
    observe::{self, Timer},
    record::Record,
    store::{Created, Replaced},
    time::Timestamp,
};

/// Where a commit led.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) origin: Base,
    pub(crate) owed: Option<CookieAction>,
}

impl Committed {
    pub(super) const GONE: Self = Self {
        origin: Base::Gone,
        owed: None,
    };
}

/// The session ended before its changes could be stored.
pub(super) fn lost(work: &SessionState) -> Committed {
    if work.writes() {
        observe::discarded();
    }
    Committed::GONE
}

/// What one step of a commit came to.
pub(super) enum Step {
    Done(Committed),
    Again(Turnout),
}

/// The steps of one commit, which share what it has met on the way.
pub(super) struct Steps<'a> {
    shared: &'a Shared,
    /// Where a cookie would go. The commit after the handler need not look.
    head: Option<&'a HeadersSent>,
    /// Of the first conflict; from then on this commit keeps its place in the line of its session.
    conflict: Option<(Instant, Turn<'a>)>,
    conflicts: u32,
    ids_taken: u32,
}

impl<'a> Steps<'a> {
    /// How often a store that answers at once is asked again before this commit waits in line.
    const CONFLICTS_AT_ONCE: u32 = 8;

    /// How many new ids are tried. That one of 128 random bits is in use says that the store is not well.
    const IDS: u32 = 3;

    pub(super) fn new(shared: &'a Shared, head: Option<&'a HeadersSent>) -> Self {
        Self {
            shared,
            head,
            conflict: None,
            conflicts: 0,
            ids_taken: 0,
        }
    }

    pub(super) async fn step(&mut self, work: &SessionState) -> Result<Step, Error> {
        let now = self.shared.clock.now();
        let plan = work.plan(|| now, &self.shared.expiry);
        self.carry_out(plan, work, now).await
    }

    /// What was planned for this work at this time.
    pub(super) async fn carry_out(
        &mut self,
        plan: Plan,
        work: &SessionState,
        now: Timestamp,
    ) -> Result<Step, Error> {
        let sends = matches!(plan, Plan::Create | Plan::Regenerate);
        if sends && self.head.is_some_and(HeadersSent::is_marked) {
            return Err(Error::headers_sent());
        }
        match (plan, &work.origin) {
            // Expired since it was loaded, unless another request kept it alive.
            (Plan::Touch(_) | Plan::Replace | Plan::Regenerate, Base::Live(live))
                if !Expiry::is_live(&live.record, now) =>
            {
                Ok(Step::Again(self.refresh(live).await?))
            }
            (Plan::End(handle), _) => self.end(handle).await,
            (Plan::Create, _) => self.create(work, now).await,
            (Plan::Replace, Base::Live(live)) => self.replace(work, live, now).await,
            (Plan::Regenerate, Base::Live(live)) => self.regenerate(work, live, now).await,
            (Plan::Touch(expires_at), Base::Live(live)) => {
                let record = self.touch(live, expires_at).await;
                Ok(done(Base::Live(Live { record, ..*live }), work.owed))
            }
            (Plan::Reissue, Base::Live(live)) => match self.used(live).await {
                Ok(Turnout::Newer(record)) => {
                    let live = Live { record, ..*live };
                    Ok(done(Base::Live(live), Some(CookieAction::Set)))
                }
                Ok(turnout) => Ok(Step::Again(turnout)),
                // The next request gets it.
                Err(error) => {
                    observe::touch_failed(live.handle, &error);
                    Ok(done(work.origin.clone(), work.owed))
                }
            },
            (Plan::Discard, _) => Ok(Step::Done(lost(work))),
            (_, origin) => Ok(done(origin.clone(), work.owed)),
        }
    }

    async fn end(&self, handle: Handle) -> Result<Step, Error> {
        let by_us = self
            .shared
            .ask(Timer::start("delete"), self.shared.store.delete(handle))
            .await?;
        if by_us {
            observe::ended(handle);
            observe::committed();
        }
        Ok(Step::Again(Turnout::Ended(by_us)))
    }

    async fn create(&mut self, work: &SessionState, now: Timestamp) -> Result<Step, Error> {
        let Shared { store, expiry, .. } = self.shared;
        let id = SessionId::random();
        let record = work.seal(now, expiry);
        let handle = id.handle();
        match self
            .shared
            .ask(Timer::start("create"), store.create(handle, &record))
            .await?
        {
            Created::Created => {
                observe::created(handle);
                observe::committed();
                Ok(done(
                    Base::Live(Live { id, handle, record }),
                    Some(CookieAction::Set),
                ))
            }
            Created::Exists => {
                self.ids_taken += 1;
                if self.ids_taken == Self::IDS {
                    let error = "it says of every new id that it is in use";
                    return Err(Error::store(error));
                }
                Ok(Step::Again(Turnout::IdTaken))
            }
        }
    }

    async fn replace(
        &mut self,
        work: &SessionState,
        live: &Live,
        now: Timestamp,
    ) -> Result<Step, Error> {
        let Shared { store, expiry, .. } = self.shared;
        let record = work.seal(now, expiry);
        let expected = live.record.version();
        let timer = Timer::start("replace");
        let replaced = store.replace(live.handle, expected, &record);
        match self.shared.ask(timer, replaced).await? {
            Replaced::Stored(version) => {
                observe::committed();
                let record = record.with_version(version);
                if let Some((_, turn)) = &mut self.conflict {
                    turn.leave(&record);
                }
                let owed = if work.changes_cookie() {
                    Some(CookieAction::Set)
                } else {
                    work.owed
                };
                Ok(done(Base::Live(Live { record, ..*live }), owed))
            }
            Replaced::Conflict => self.after_conflict(live).await,
            Replaced::Gone => Ok(Step::Again(Turnout::Lost)),
        }
    }

    async fn regenerate(
        &mut self,
        work: &SessionState,
        live: &Live,
        now: Timestamp,
    ) -> Result<Step, Error> {
        let Shared { store, expiry, .. } = self.shared;
        let record = work.seal(now, expiry);
        let expected = live.record.version();
        let tombstone = Record::tombstone(expected.next(), now);
        let id = SessionId::random();
        let handle = id.handle();
        let timer = Timer::start("regenerate");
        let moved = store.regenerate(live.handle, expected, &tombstone, handle, &record);
        match self.shared.ask(timer, moved).await? {
            Replaced::Stored(_) => {
                observe::regenerated(live.handle, handle);
                observe::committed();
                Ok(done(
                    Base::Live(Live { id, handle, record }),
                    Some(CookieAction::Set),
                ))
            }
            Replaced::Conflict => self.after_conflict(live).await,
            Replaced::Gone => Ok(Step::Again(Turnout::Lost)),
        }
    }

    /// The record, touched. A touch that fails costs the session some of its idle time, and no request its answer.
    async fn touch(&self, live: &Live, expires_at: Timestamp) -> Record {
        let mut record = live.record.clone();
        let timer = Timer::start("touch");
        let touched = self.shared.store.touch(live.handle, expires_at.into());
        match self.shared.ask(timer, touched).await {
            Ok(true) => record.touch(expires_at),
            // Ended meanwhile: nothing is left to keep alive.
            Ok(false) => {}
            Err(error) => observe::touch_failed(live.handle, &error),
        }
        record
    }

    /// The work is about to be done again: because another request was faster, if there was a conflict.
    pub(super) fn note(&self, turnout: &Turnout) {
        if self.conflicts > 0 && matches!(turnout, Turnout::Newer(_)) {
            observe::replayed();
        }
    }

    async fn after_conflict(&mut self, live: &Live) -> Result<Step, Error> {
        self.conflicts += 1;
        // A store that answers at once has answered before a task that waits in line would even wake up.
        if !self.shared.store.is_immediate() || self.conflicts > Self::CONFLICTS_AT_ONCE {
            self.wait(live.handle).await?;
        }
        let newer = self
            .conflict
            .as_ref()
            .and_then(|(_, turn)| turn.newer_than(&live.record));
        let turnout = match newer {
            Some(record) => Turnout::Newer(record),
            None => self.refresh(live).await?,
        };
        Ok(Step::Again(turnout))
    }

    /// At the first conflict, for those of this process; at others, which come from other processes, a random while.
    async fn wait(&mut self, handle: Handle) -> Result<(), Error> {
        let limit = self.shared.store_timeout;
        match &self.conflict {
            None => {
                let since = Instant::now();
                let mut turn = self.shared.queue.join(handle);
                // Boxed, as conflicts are rare: it would make the future of every commit larger.
                Box::pin(tokio::time::timeout(limit, turn.wait()))
                    .await
                    .map_err(|_| Error::conflict())?;
                self.conflict = Some((since, turn));
                Ok(())
            }
            Some((since, _)) => {
                let pause = jitter(self.conflicts);
                if since.elapsed() + pause >= limit {
                    return Err(Error::conflict());
                }
                Box::pin(tokio::time::sleep(pause)).await;
                Ok(())
            }
        }
    }

    /// The newest record, kept alive as by a request.
    pub(super) async fn used(&self, live: &Live) -> Result<Turnout, Error> {
        let turnout = self.refresh(live).await?;
        let Turnout::Newer(record) = turnout else {
            return Ok(turnout);
        };
        let Shared { expiry, clock, .. } = self.shared;
        let Some(expires_at) = expiry.touch_due(&record, clock.now()) else {
            return Ok(Turnout::Newer(record));
        };
        let live = Live { record, ..*live };
        Ok(Turnout::Newer(self.touch(&live, expires_at).await))
    }

    pub(super) async fn refresh(&self, live: &Live) -> Result<Turnout, Error> {
        let loaded = self
            .shared
            .ask(Timer::start("load"), self.shared.store.load(live.handle))
            .await?;
        let now = self.shared.clock.now();
        let lives = |record: &Record| Expiry::is_live(record, now) && !record.is_tombstone();
        Ok(loaded.filter(lives).map_or(Turnout::Lost, Turnout::Newer))
    }
}

fn done(origin: Base, owed: Option<CookieAction>) -> Step {
    Step::Done(Committed { origin, owed })
}

/// Up to a millisecond for none, twice as much for each further one, 64 at the most.
fn jitter(tries: u32) -> Duration {
    let most = 1_000_u64 << tries.min(6);
    let [first, second, ..] = id::random();
    Duration::from_micros(
        u64::from(u16::from_ne_bytes([first, second])) * most / u64::from(u16::MAX),
    )
}
