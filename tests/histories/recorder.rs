//! The requests of one history, in the order in which they were sent and answered, and the verdict on them.

use std::{collections::BTreeMap, fmt::Write as _};

use parking_lot::Mutex;
use todc_utils::{Action, History, WGLChecker};

use crate::{
    request::{Id, Kind, Outcome, Request},
    spec::Sessions,
};

/// Names a request of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent(usize);

#[derive(Default)]
pub(crate) struct Recorder(Mutex<Recorded>);

#[derive(Default)]
struct Recorded {
    requests: Vec<Request>,
    events: Vec<(usize, Event)>,
    /// The ids by their cookies.
    cookies: BTreeMap<String, Id>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Call,
    Answer,
}

impl Recorder {
    /// Before it is sent.
    pub(crate) fn call(&self, kind: Kind, id: Option<Id>) -> Sent {
        let mut recorded = self.0.lock();
        let number = recorded.requests.len();
        let outcome = Outcome::Unknown;
        recorded.requests.push(Request { kind, id, outcome });
        recorded.events.push((number, Event::Call));
        Sent(number)
    }

    /// Once its answer is there.
    pub(crate) fn answer(&self, Sent(number): Sent, outcome: Outcome) {
        let mut recorded = self.0.lock();
        recorded.requests[number].outcome = outcome;
        recorded.events.push((number, Event::Answer));
    }

    /// It never reached a server.
    pub(crate) fn forget(&self, Sent(number): Sent) {
        self.0.lock().events.retain(|(other, _)| *other != number);
    }

    /// The id of a cookie, which may be new.
    pub(crate) fn id(&self, cookie: &str) -> Id {
        let mut recorded = self.0.lock();
        let next = recorded.cookies.len();
        *recorded.cookies.entry(cookie.to_owned()).or_insert(next)
    }

    pub(crate) fn cookies(&self) -> BTreeMap<Id, String> {
        let recorded = self.0.lock();
        let pairs = recorded.cookies.iter();
        pairs.map(|(cookie, id)| (*id, cookie.clone())).collect()
    }

    pub(crate) fn finish(self) -> Recording {
        Recording(self.0.into_inner())
    }
}

/// A history that is over.
pub(crate) struct Recording(Recorded);

impl Recording {
    pub(crate) fn requests(&self) -> usize {
        let is_call = |(_, event): &&(usize, Event)| *event == Event::Call;
        self.0.events.iter().filter(is_call).count()
    }

    /// How many may have happened at any time.
    pub(crate) fn unknown(&self) -> usize {
        self.unanswered().count()
    }

    /// Whether there is an order of the requests in which each gets the answer it got, no request before one that was
    /// answered when it was sent.
    pub(crate) fn is_linearizable(&self) -> bool {
        let answered = self.0.events.iter().copied();
        // A request without an answer may come after all others: then it never was.
        let unknown = self.unanswered().map(|number| (number, Event::Answer));
        let actions: Vec<_> = answered
            .chain(unknown)
            .filter(|(number, _)| !self.is_no_matter(*number))
            .map(|(number, event)| {
                let request = self.0.requests[number].clone();
                let action = match event {
                    Event::Call => Action::Call(request),
                    Event::Answer => Action::Response(request),
                };
                // A process for each, as the next request of a client does not wait for one that was lost.
                (number, action)
            })
            .collect();
        actions.is_empty()
            || WGLChecker::<Sessions>::is_linearizable(History::from_actions(actions))
    }

    fn unanswered(&self) -> impl Iterator<Item = usize> {
        let is_answered = |number| self.0.events.contains(&(number, Event::Answer));
        let calls = self
            .0
            .events
            .iter()
            .filter(|(_, event)| *event == Event::Call);
        calls
            .map(|(number, _)| *number)
            .filter(move |number| !is_answered(*number))
    }

    /// A read without an answer.
    fn is_no_matter(&self, number: usize) -> bool {
        let request = &self.0.requests[number];
        request.outcome == Outcome::Unknown && request.kind.is_read()
    }

    /// For people.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        for (number, event) in &self.0.events {
            let Request { kind, id, outcome } = &self.0.requests[*number];
            let id = id.map_or("no id".to_owned(), |id| format!("id {id}"));
            let line = match (event, outcome) {
                (Event::Call, _) => format!("{number:3} ->  {id}: {kind:?}"),
                (Event::Answer, Outcome::Unknown) => format!("{number:3}  <- ?"),
                (Event::Answer, Outcome::Answered(status, body, new)) => {
                    let new = new.map_or(String::new(), |id| format!(" Set-Cookie: id {id}"));
                    format!("{number:3}  <- {status} {body}{new}")
                }
            };
            let _ = writeln!(story, "{line}");
        }
        story
    }
}
