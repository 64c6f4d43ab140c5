use super::{
    base::Base,
    headers_sent::HeadersSent,
    plan::Plan,
    shared::Shared,
    state::{SessionState, Turnout},
    step::{Committed, Step, Steps, lost},
    transaction::Transaction,
};
use crate::{at_once::at_once, error::Error, time::Timestamp};

/// Carries work out: plans, does one store call, and plans again with what came of it, until nothing is left to do.
/// Each turn on the way is shown to `progress`.
pub(crate) async fn commit(
    shared: &Shared,
    work: &mut SessionState,
    head: Option<&HeadersSent>,
    progress: impl Fn(&Turnout),
) -> Result<Committed, Error> {
    let mut steps = Steps::new(shared, head);
    loop {
        match steps.step(work).await? {
            Step::Done(committed) => return Ok(committed),
            Step::Again(Turnout::Lost) if !work.logs_in() => return Ok(lost(work)),
            Step::Again(turnout) => {
                steps.note(&turnout);
                progress(&turnout);
                work.apply(turnout)?;
            }
        }
    }
}

/// The first step of a commit, planned for now, of a store that answers at once. `None` if it is not the last one too.
pub(crate) fn first_step(
    shared: &Shared,
    plan: Plan,
    work: &SessionState,
    now: Timestamp,
) -> Option<Result<Committed, Error>> {
    let mut steps = Steps::new(shared, None);
    match at_once(steps.carry_out(plan, work, now))? {
        Ok(Step::Done(committed)) => Some(Ok(committed)),
        // It met another request: a commit that can wait begins anew.
        Ok(Step::Again(_)) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Carries work out together with a transaction that is run on top of it, as often as it takes. Without a result if
/// the session has ended.
pub(crate) async fn transact<R>(
    shared: &Shared,
    mut work: SessionState,
    head: &HeadersSent,
    progress: impl Fn(&Turnout),
    run: impl Fn(&mut Transaction<'_>) -> Result<R, Error>,
) -> Result<(Committed, Option<R>), Error> {
    let mut steps = Steps::new(shared, Some(head));
    let mut newest = false;
    loop {
        if work.is_gone() {
            return Ok((Committed::GONE, None));
        }
        let mut attempt = work.clone();
        // What the transaction does again on every record need not be kept for another.
        attempt.release();
        let result = run(&mut Transaction::new(attempt.draft()));
        let step = match (attempt.origin.live(), &result) {
            // It failed, or writes nothing: no compare-and-swap tells whether what it read was still true.
            (Some(live), result) if !newest && (result.is_err() || !attempt.writes()) => {
                Step::Again(steps.refresh(live).await?)
            }
            (_, Ok(_)) => steps.step(&attempt).await?,
            (_, Err(_)) => return Err(result.err().expect("it failed")),
        };
        match step {
            Step::Done(Committed {
                origin: Base::Gone, ..
            }) => return Ok((Committed::GONE, None)),
            Step::Done(committed) => return Ok((committed, Some(result?))),
            Step::Again(Turnout::Lost) if !work.logs_in() => return Ok((lost(&attempt), None)),
            Step::Again(turnout) => {
                newest = matches!(turnout, Turnout::Newer(_));
                steps.note(&turnout);
                progress(&turnout);
                work.apply(turnout)?;
            }
        }
    }
}

/// Looks for a newer record, if there is one at all, and keeps the session alive as a request would.
pub(crate) async fn reload(shared: &Shared, work: &SessionState) -> Result<Option<Turnout>, Error> {
    let Some(live) = work.origin.live() else {
        return Ok(None);
    };
    Steps::new(shared, None).used(live).await.map(Some)
}
