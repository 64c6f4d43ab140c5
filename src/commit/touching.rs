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
    /// What the response does to the client's cookie, once the session is known to be where it was.
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
        let earlier = work.state().cookie;
        let (cookie, event) = match answer {
            Ok(Answer::Touched(true)) => {
                stored.record.touch(until);
                (cookie.or(earlier), None)
            }
            // Ended or moved meanwhile: nothing is left to keep alive, and the client may hold a newer cookie.
            Ok(Answer::Touched(false)) => (None, None),
            Ok(_) => unreachable!("a touch is answered by whether it was one"),
            // It may have moved as well. The cookie is sent with the next touch.
            Err(error) => (earlier, Some(Event::TouchFailed(stored.handle, error))),
        };
        (Turn::Settle(Base::Live(stored), cookie), event)
    }
}
