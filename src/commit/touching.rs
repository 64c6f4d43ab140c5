use super::{
    base::{Base, Stored},
    call::{Answer, Call, Event},
    cookie_action::CookieAction,
    turn::Turn,
    work::Work,
};
use crate::{error::Error, time::Timestamp};

/// A session is being kept alive.
#[derive(Debug)]
pub(super) struct Touching {
    stored: Stored,
    until: Timestamp,
    /// What the response then does to the client's cookie.
    cookie: Option<CookieAction>,
}

impl Touching {
    pub(super) fn new(stored: Stored, until: Timestamp, cookie: Option<CookieAction>) -> Self {
        Self {
            stored,
            until,
            cookie,
        }
    }

    pub(super) fn call(&self) -> Call<'static> {
        Call::Touch(self.stored.handle, self.until)
    }

    /// A touch that fails costs the session some of its idle time, and fails no request.
    pub(super) fn answered(
        self,
        work: &Work,
        answer: Result<Answer, Error>,
    ) -> (Turn, Option<Event>) {
        let Self {
            mut stored,
            until,
            cookie,
        } = self;
        let event = match answer {
            Ok(Answer::Touched(true)) => {
                stored.record.touch(until);
                None
            }
            // Ended meanwhile: nothing is left to keep alive, and the client may hold a newer cookie.
            Ok(Answer::Touched(false)) => return (Turn::Settle(Base::Live(stored), None), None),
            Ok(_) => unreachable!("a touch is answered by whether it was one"),
            Err(error) => Some(Event::TouchFailed(stored.handle, error)),
        };
        let cookie = cookie.or(work.state().cookie);
        (Turn::Settle(Base::Live(stored), cookie), event)
    }
}
