use std::time::{Duration, Instant};

use super::{
    queue::Turn,
    shared::Shared,
    tx::Tx,
    work::{Live, Origin, Owed, Plan, Turnout, Work},
};
use crate::{
    error::Error,
    expiry::Expiry,
    id::{self, Handle, SessionId},
    record::Record,
    store::{Created, Replaced},
    time::Timestamp,
    trace,
};

/// Where a commit led.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) origin: Origin,
    pub(crate) owed: Option<Owed>,
}

/// Carries work out: plans, does one store call, and plans again with what came of it, until nothing is left to do.
pub(crate) async fn commit(
    shared: &Shared,
    mut work: Work,
    head_sent: bool,
) -> Result<Committed, Error> {
    let mut commit = Commit::new(shared, head_sent);
    loop {
        match commit.step(&work).await? {
            Step::Done(committed) => return Ok(committed),
            Step::Again(turnout) => work.apply(turnout)?,
        }
    }
}

/// Carries work out together with a transaction that is run on top of it, as often as it takes. Without a result if
/// the session has ended.
pub(crate) async fn transact<R>(
    shared: &Shared,
    mut work: Work,
    head_sent: bool,
    run: impl Fn(&mut Tx<'_>) -> Result<R, Error>,
) -> Result<(Committed, Option<R>), Error> {
    let mut commit = Commit::new(shared, head_sent);
    let mut newest = false;
    loop {
        if work.is_gone() {
            return Ok((
                Committed {
                    origin: Origin::Gone,
                    owed: None,
                },
                None,
            ));
        }
        let mut attempt = work.clone();
        let result = run(&mut Tx::new(&mut attempt.draft))?;
        let step = match attempt.origin.live() {
            // It writes nothing, so no compare-and-swap tells whether what it read was still true.
            Some(live) if !newest && !attempt.writes() => Step::Again(commit.refresh(live).await?),
            _ => commit.step(&attempt).await?,
        };
        match step {
            Step::Done(committed) => return Ok((committed, Some(result))),
            Step::Again(turnout) => {
                newest = matches!(turnout, Turnout::Newer(_));
                work.apply(turnout)?;
            }
        }
    }
}

/// Looks for a newer record, if there is one at all, and keeps the session alive as a request would.
pub(crate) async fn reload(shared: &Shared, work: &Work) -> Result<Option<Turnout>, Error> {
    let Some(live) = work.origin.live() else {
        return Ok(None);
    };
    let commit = Commit::new(shared, false);
    let turnout = commit.refresh(live).await?;
    let Turnout::Newer(record) = turnout else {
        return Ok(Some(turnout));
    };
    let live = Live { record, ..*live };
    let record = match shared.expiry.touch_due(&live.record, shared.clock.now()) {
        Some(expires_at) => commit.touch(&live, expires_at).await,
        None => live.record,
    };
    Ok(Some(Turnout::Newer(record)))
}

enum Step {
    Done(Committed),
    Again(Turnout),
}

struct Commit<'a> {
    shared: &'a Shared,
    /// No cookie can be sent any more.
    head_sent: bool,
    /// Of the first conflict; from then on this commit keeps its place in the line of its session.
    conflict: Option<(Instant, Turn<'a>)>,
    conflicts: u32,
}

impl<'a> Commit<'a> {
    fn new(shared: &'a Shared, head_sent: bool) -> Self {
        Self {
            shared,
            head_sent,
            conflict: None,
            conflicts: 0,
        }
    }

    async fn step(&mut self, work: &Work) -> Result<Step, Error> {
        let shared = self.shared;
        let now = shared.clock.now();
        let plan = work.plan(now, &shared.expiry);
        if self.head_sent && matches!(plan, Plan::Create | Plan::Regenerate) {
            return Err(Error::too_late());
        }
        match (plan, &work.origin) {
            // Expired since it was loaded, unless another request kept it alive.
            (Plan::Touch(_) | Plan::Replace | Plan::Regenerate, Origin::Live(live))
                if !Expiry::is_live(&live.record, now) =>
            {
                Ok(Step::Again(self.refresh(live).await?))
            }
            (Plan::End(handle), _) => self.end(handle).await,
            (Plan::Create, _) => self.create(work, now).await,
            (Plan::Replace, Origin::Live(live)) => self.replace(work, live, now).await,
            (Plan::Regenerate, Origin::Live(live)) => self.regenerate(work, live, now).await,
            (Plan::Touch(expires_at), Origin::Live(live)) => {
                let record = self.touch(live, expires_at).await;
                Ok(done(Origin::Live(Live { record, ..*live }), work.owed))
            }
            (Plan::Discard, _) => {
                trace::discarded();
                Ok(done(Origin::Gone, None))
            }
            (_, origin) => Ok(done(origin.clone(), work.owed)),
        }
    }

    async fn end(&self, handle: Handle) -> Result<Step, Error> {
        let by_us = self.shared.ask(self.shared.store.delete(handle)).await?;
        if by_us {
            trace::ended(handle);
        }
        Ok(Step::Again(Turnout::Ended(by_us)))
    }

    async fn create(&self, work: &Work, now: Timestamp) -> Result<Step, Error> {
        let record = work.seal(now, &self.shared.expiry);
        let id = SessionId::random();
        let handle = id.handle();
        match self
            .shared
            .ask(self.shared.store.create(handle, &record))
            .await?
        {
            Created::Created => {
                trace::created(handle);
                Ok(done(
                    Origin::Live(Live { id, handle, record }),
                    Some(Owed::Issue),
                ))
            }
            Created::Exists => Ok(Step::Again(Turnout::IdTaken)),
        }
    }

    async fn replace(&mut self, work: &Work, live: &Live, now: Timestamp) -> Result<Step, Error> {
        let record = work.seal(now, &self.shared.expiry);
        let expected = live.record.version();
        match self
            .shared
            .ask(self.shared.store.replace(live.handle, expected, &record))
            .await?
        {
            Replaced::Stored(version) => {
                let record = record.with_version(version);
                if let Some((_, turn)) = &mut self.conflict {
                    turn.leave(&record);
                }
                let owed = if work.changes_cookie() {
                    Some(Owed::Issue)
                } else {
                    work.owed
                };
                Ok(done(Origin::Live(Live { record, ..*live }), owed))
            }
            Replaced::Conflict => self.after_conflict(live).await,
            Replaced::Gone => Ok(Step::Again(Turnout::Lost)),
        }
    }

    async fn regenerate(
        &mut self,
        work: &Work,
        live: &Live,
        now: Timestamp,
    ) -> Result<Step, Error> {
        let store = &self.shared.store;
        let record = work.seal(now, &self.shared.expiry);
        let expected = live.record.version();
        let tombstone = Record::tombstone(expected.next(), now);
        let id = SessionId::random();
        let handle = id.handle();
        let moved = store.regenerate(live.handle, expected, &tombstone, handle, &record);
        match self.shared.ask(moved).await? {
            Replaced::Stored(_) => {
                trace::regenerated(live.handle, handle);
                Ok(done(
                    Origin::Live(Live { id, handle, record }),
                    Some(Owed::Issue),
                ))
            }
            Replaced::Conflict => self.after_conflict(live).await,
            Replaced::Gone => Ok(Step::Again(Turnout::Lost)),
        }
    }

    /// The record, touched. A touch that fails costs the session some of its idle time, and no request its answer.
    async fn touch(&self, live: &Live, expires_at: Timestamp) -> Record {
        let mut record = live.record.clone();
        match self
            .shared
            .ask(self.shared.store.touch(live.handle, expires_at.into()))
            .await
        {
            Ok(true) => record.touch(expires_at),
            // Ended meanwhile: nothing is left to keep alive.
            Ok(false) => {}
            Err(error) => trace::touch_failed(live.handle, &error),
        }
        record
    }

    async fn after_conflict(&mut self, live: &Live) -> Result<Step, Error> {
        self.conflicts += 1;
        self.wait(live.handle).await?;
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
                let mut turn = self.shared.queue.join(handle);
                let since = Instant::now();
                tokio::time::timeout(limit, turn.wait())
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
                tokio::time::sleep(pause).await;
                Ok(())
            }
        }
    }

    async fn refresh(&self, live: &Live) -> Result<Turnout, Error> {
        let loaded = self.shared.ask(self.shared.store.load(live.handle)).await?;
        let now = self.shared.clock.now();
        let lives = |record: &Record| Expiry::is_live(record, now) && !record.is_tombstone();
        Ok(loaded.filter(lives).map_or(Turnout::Lost, Turnout::Newer))
    }
}

fn done(origin: Origin, owed: Option<Owed>) -> Step {
    Step::Done(Committed { origin, owed })
}

/// Up to two milliseconds at the first try, twice as much at each further one, 64 at the most.
fn jitter(tries: u32) -> Duration {
    let most = 1_000_u64 << tries.min(6);
    let [first, second, ..] = id::random();
    Duration::from_micros(
        u64::from(u16::from_ne_bytes([first, second])) * most / u64::from(u16::MAX),
    )
}
