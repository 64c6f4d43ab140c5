//! The requests of one history, in the order in which they were sent and answered, and the verdict on them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use todc_utils::{Action, History, WGLChecker};

use crate::{
    request::{Id, Kind, Outcome, Request},
    sessions::Sessions,
    spec::Step,
};

/// How old an answer from a near cache may be: `CACHE=1`, and what a clock in milliseconds rounds off.
pub(crate) const OLDEST: Duration = Duration::from_millis(1_005);

/// Names a request of a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent(usize);

pub(crate) struct Recorder(Mutex<Recorded>);

struct Recorded {
    began: Instant,
    requests: Vec<Request>,
    /// In their order, each with the time since the history began.
    events: Vec<(Duration, usize, Event)>,
    /// The ids by their cookies.
    cookies: BTreeMap<String, Id>,
    /// The request that was answered with an id first, by that id.
    origins: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Call,
    Answer,
}

impl Recorder {
    pub(crate) fn begin() -> Self {
        Self(Mutex::new(Recorded {
            began: Instant::now(),
            requests: Vec::new(),
            events: Vec::new(),
            cookies: BTreeMap::new(),
            origins: Vec::new(),
        }))
    }

    /// Before it is sent, to a server that has a near cache or has none.
    pub(crate) fn call(&self, kind: Kind, id: Option<Id>, is_cached: bool) -> Sent {
        let mut recorded = self.0.lock();
        let number = recorded.requests.len();
        recorded.requests.push(Request {
            kind,
            id,
            is_cached,
            outcome: Outcome::Unknown,
        });
        recorded.push(number, Event::Call);
        Sent(number)
    }

    /// Once its answer is there.
    pub(crate) fn answer(&self, Sent(number): Sent, outcome: Outcome) {
        let mut recorded = self.0.lock();
        recorded.requests[number].outcome = outcome;
        recorded.push(number, Event::Answer);
    }

    /// It never reached a server.
    pub(crate) fn forget(&self, Sent(number): Sent) {
        let mut recorded = self.0.lock();
        recorded.events.retain(|(_, other, _)| *other != number);
    }

    /// The id of a cookie, which may be new, in the answer to this request.
    pub(crate) fn id(&self, cookie: &str, Sent(number): Sent) -> Id {
        let mut recorded = self.0.lock();
        let next = recorded.cookies.len();
        let id = *recorded.cookies.entry(cookie.to_owned()).or_insert(next);
        if id == next {
            recorded.origins.push(number);
        }
        id
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

impl Recorded {
    fn push(&mut self, number: usize, event: Event) {
        let now = self.began.elapsed();
        self.events.push((now, number, event));
    }
}

/// A history that is over.
pub(crate) struct Recording(Recorded);

impl Recording {
    pub(crate) fn requests(&self) -> usize {
        self.calls().count()
    }

    /// How many may have happened at any time.
    pub(crate) fn unknown(&self) -> usize {
        self.unanswered().count()
    }

    /// Whether there is an order of the requests in which each gets the answer it got, no request before one that was
    /// answered when it was sent.
    ///
    /// What a cache answered may be old, but rarely is: to look for an order in which none of it is takes far less time.
    pub(crate) fn is_linearizable(&self) -> bool {
        let has_order = |oldest| {
            let actions = self.actions(oldest);
            actions.is_empty()
                || WGLChecker::<Sessions>::is_linearizable(History::from_actions(actions))
        };
        let mut requests = self.0.requests.iter();
        has_order(Duration::ZERO) || requests.any(Request::may_be_old) && has_order(OLDEST)
    }

    /// For the checker: each step with its beginning and its end.
    fn actions(&self, oldest: Duration) -> Vec<(usize, Action<Step>)> {
        // A request without an answer may come after all others: then it never was.
        let unknown = self
            .unanswered()
            .map(|number| (Duration::MAX, number, Event::Answer));
        let mut events: Vec<_> = self.0.events.iter().copied().chain(unknown).collect();
        events.retain(|(_, number, _)| !self.is_no_matter(*number));
        for (time, number, event) in &mut events {
            if *event == Event::Call && self.0.requests[*number].may_be_old() {
                *time = time.saturating_sub(oldest);
            }
        }
        // What is not moved stays in its order.
        events.sort_by_key(|(time, ..)| *time);
        // Each step is a process, as the next request of a client does not wait for one that was lost.
        let mut first = Vec::new();
        let mut next = 0;
        let steps: Vec<_> = (0..self.0.requests.len())
            .map(|number| self.steps(number))
            .collect();
        for steps in &steps {
            first.push(next);
            next += steps.len();
        }
        let actions = events.iter().flat_map(|(_, number, event)| {
            let steps = steps[*number].iter().cloned().enumerate();
            steps.map(|(at, step)| {
                let action = match event {
                    Event::Call => Action::Call(step),
                    Event::Answer => Action::Response(step),
                };
                (first[*number] + at, action)
            })
        });
        actions.collect()
    }

    fn steps(&self, number: usize) -> Vec<Step> {
        let request = &self.0.requests[number];
        let mut steps = vec![Step::Request(request.clone())];
        let ends_others = matches!(
            request.outcome,
            Outcome::Unknown | Outcome::Answered(200, ..)
        );
        if let (Kind::RevokeOthers, Some(asking), true) = (&request.kind, request.id, ends_others) {
            let until = self.time_of(number, Event::Answer);
            let others = self.0.origins.iter().enumerate();
            let others = others.filter(|(other, origin)| {
                *other != asking && self.time_of(**origin, Event::Call) < until
            });
            steps.extend(others.map(|(other, _)| Step::EndOther { asking, other }));
        }
        steps
    }

    fn time_of(&self, number: usize, event: Event) -> Duration {
        let mut events = self.0.events.iter();
        let found = events.find(|(_, other, which)| *other == number && *which == event);
        found.map_or(Duration::MAX, |(time, ..)| *time)
    }

    fn calls(&self) -> impl Iterator<Item = usize> {
        let calls = self.0.events.iter();
        let calls = calls.filter(|(_, _, event)| *event == Event::Call);
        calls.map(|(_, number, _)| *number)
    }

    fn unanswered(&self) -> impl Iterator<Item = usize> {
        self.calls()
            .filter(|number| self.time_of(*number, Event::Answer) == Duration::MAX)
    }

    /// A read without an answer.
    fn is_no_matter(&self, number: usize) -> bool {
        let request = &self.0.requests[number];
        request.outcome == Outcome::Unknown && request.kind.is_read()
    }

    /// For people.
    pub(crate) fn story(&self) -> String {
        let mut story = String::new();
        for (time, number, event) in &self.0.events {
            let Request {
                kind,
                id,
                is_cached,
                outcome,
            } = &self.0.requests[*number];
            let id = id.map_or("no id".to_owned(), |id| format!("id {id}"));
            let cache = if *is_cached { ", by a cache" } else { "" };
            let line = match (event, outcome) {
                (Event::Call, _) => format!("{number:3} ->  {id}: {kind:?}{cache}"),
                (Event::Answer, Outcome::Unknown) => format!("{number:3}  <- ?"),
                (Event::Answer, Outcome::Answered(status, body, new)) => {
                    let new = new.map_or(String::new(), |id| format!(" Set-Cookie: id {id}"));
                    format!("{number:3}  <- {status} {body}{new}")
                }
            };
            let _ = writeln!(story, "{:5} ms {line}", time.as_millis());
        }
        story
    }
}
