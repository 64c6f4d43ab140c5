//! The model: what the example server's sessions do when requests come one after the other. It follows `docs/design.md`
//! and the routes in `examples/server`.

use std::collections::BTreeMap;

use serde_json::Value;
use todc_utils::Specification;

use crate::{
    request::{Id, Kind, Outcome, Request, User},
    values::{Values, change},
};

/// All sessions of a history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sessions(BTreeMap<Id, Session>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Session {
    user: Option<User>,
    life: Life,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Life {
    Live(Values),
    /// It has a new id, and a tombstone under this one.
    Moved,
    /// It was ended, and nothing is stored under the id.
    Ended,
}

/// The answer that a request has to get, and the sessions after it. `None` stands for any.
struct Effect {
    status: u16,
    body: Option<Value>,
    cookie: Cookie,
    after: Sessions,
}

enum Cookie {
    None,
    /// Of a new session with these contents, or else nothing happened at all.
    New(Session),
}

impl Specification for Sessions {
    type State = Self;
    type Operation = Request;

    fn init() -> Self {
        Self(BTreeMap::new())
    }

    fn apply(request: &Request, before: &Self) -> (bool, Self) {
        match &request.outcome {
            // Neither its answer is known, nor the id of a session that it began.
            Outcome::Unknown => (true, before.after(&request.kind, request.id, None).after),
            Outcome::Answered(409, ..) => (before.may_have_ended_under(request), before.clone()),
            Outcome::Answered(status, body, new) => {
                if before.is_discarded(request, *status, *new) {
                    return (true, before.clone());
                }
                let effect = before.after(&request.kind, request.id, Some(*status));
                let is_right = effect.status == *status
                    && effect.body.is_none_or(|expected| expected == *body)
                    && matches!(effect.cookie, Cookie::None) == new.is_none();
                let mut after = effect.after;
                if let (Cookie::New(session), Some(new)) = (effect.cookie, new) {
                    // An id is given once.
                    if after.0.insert(*new, session).is_some() {
                        return (false, before.clone());
                    }
                }
                (is_right, after)
            }
        }
    }
}

impl Sessions {
    fn find(&self, id: Option<Id>) -> Option<&Session> {
        id.map(|id| self.0.get(&id).expect("its cookie was given out"))
    }

    /// A transaction says so if the session that it was to run on has ended or moved.
    fn may_have_ended_under(&self, request: &Request) -> bool {
        let session = self.find(request.id);
        request.kind.is_transaction() && session.is_some_and(|session| !session.is_live())
    }

    /// A write that found its session alive, and finds it ended when it commits, is dropped in silence.
    fn is_discarded(&self, request: &Request, status: u16, new: Option<Id>) -> bool {
        let is_write = matches!(request.kind, Kind::Set(..) | Kind::Flash(_));
        let session = self.find(request.id);
        let is_over = session.is_some_and(|session| !session.is_live());
        is_write && is_over && status == 200 && new.is_none()
    }

    /// The status that was answered, if one was, tells which of several right answers it is.
    fn after(&self, kind: &Kind, id: Option<Id>, status: Option<u16>) -> Effect {
        match (kind, self.find(id)) {
            (Kind::Revoke(target), _) => self.revoke(*target, id, status),
            (Kind::LogIn(user), session) => self.log_in(*user, id, session),
            (_, Some(session)) if session.life == Life::Moved => self.nothing_but_read(kind),
            (Kind::LogOut, _) => {
                let mut after = self.clone();
                after.end(id, Life::Ended);
                Effect::new(200, None, after)
            }
            (
                _,
                Some(Session {
                    user,
                    life: Life::Live(values),
                }),
            ) => {
                let mut values = values.clone();
                let body = change(kind, &mut values);
                let mut after = self.clone();
                let life = Life::Live(values);
                after
                    .0
                    .insert(id.expect("it was found"), Session { user: *user, life });
                Effect::new(200, body, after)
            }
            _ => {
                let mut values = Values::new();
                let body = change(kind, &mut values);
                let mut effect = Effect::new(200, body, self.clone());
                if !values.is_empty() {
                    effect.cookie = Cookie::New(Session {
                        user: None,
                        life: Life::Live(values),
                    });
                }
                effect
            }
        }
    }

    /// Under the old id of a session that moved: it reads as empty, and what changes it is refused or dropped.
    fn nothing_but_read(&self, kind: &Kind) -> Effect {
        match kind {
            kind if kind.is_transaction() => Effect::new(409, None, self.clone()),
            Kind::LogOut | Kind::Clear => Effect::new(200, None, self.clone()),
            kind => {
                let body = change(kind, &mut Values::new());
                Effect::new(200, body, self.clone())
            }
        }
    }

    fn log_in(&self, user: User, id: Option<Id>, session: Option<&Session>) -> Effect {
        let mut after = self.clone();
        after.end(id, Life::Moved);
        let mut values = match session {
            Some(Session {
                user: former,
                life: Life::Live(values),
            }) if former.is_none_or(|former| former == user) => values.clone(),
            _ => Values::new(),
        };
        values.extend(user.keys());
        let mut effect = Effect::new(200, None, after);
        let user = Some(user);
        effect.cookie = Cookie::New(Session {
            user,
            life: Life::Live(values),
        });
        effect
    }

    /// It is asked whether the session is logged in, then what else its user has, and then one of that is ended: each
    /// answer is right if it was so at one of these times.
    fn revoke(&self, target: Id, id: Option<Id>, status: Option<u16>) -> Effect {
        let session = self.find(id);
        let is_logged_in =
            session.is_some_and(|session| session.is_live() && session.user.is_some());
        let user = session.and_then(|session| session.user);
        let other = self.find(Some(target)).expect("its cookie was given out");
        let is_there = other.is_live() && other.user == user;
        let mut after = self.clone();
        let status = match status {
            Some(401) if !is_logged_in => 401,
            Some(404) if !is_there && id != Some(target) && user.is_some() => 404,
            _ if user.is_some() && is_there => {
                after.end(Some(target), Life::Ended);
                200
            }
            // Its own, which another request ended first.
            Some(200) if user.is_some() && id == Some(target) => 200,
            _ => 401,
        };
        Effect::new(status, None, after)
    }

    fn end(&mut self, id: Option<Id>, life: Life) {
        let session = id.and_then(|id| self.0.get_mut(&id));
        if let Some(session) = session.filter(|session| session.is_live()) {
            session.life = life;
        }
    }
}

impl Session {
    fn is_live(&self) -> bool {
        matches!(self.life, Life::Live(_))
    }
}

impl Effect {
    fn new(status: u16, body: Option<Value>, after: Sessions) -> Self {
        Self {
            status,
            body,
            cookie: Cookie::None,
            after,
        }
    }
}
