//! The model: what the example server's sessions do when requests come one after the other. It follows `docs/design.md`
//! and the routes in `examples/server`.

use serde_json::Value;
use todc_utils::Specification;

use crate::{
    request::{Id, Kind, Outcome, Request, User},
    sessions::{Life, Session, Sessions},
    values::{Values, change},
};

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

/// What happens at one time.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Request(Request),
    /// A part of [`Kind::RevokeOthers`], which ends one session after the other: this one, if its user is that of the
    /// session that asks.
    EndOther {
        asking: Id,
        other: Id,
    },
}

impl Specification for Sessions {
    type State = Self;
    type Operation = Step;

    fn init() -> Self {
        Self::default()
    }

    fn apply(step: &Step, before: &Self) -> (bool, Self) {
        let request = match step {
            Step::Request(request) => request,
            Step::EndOther { asking, other } => return (true, before.without(*asking, *other)),
        };
        if request.id.is_some_and(|id| !before.contains(id)) {
            // So far back goes no answer of a cache.
            return (false, before.clone());
        }
        let about = (&request.kind, request.id);
        match &request.outcome {
            // Neither its answer is known, nor the id of a session that it began.
            Outcome::Unknown => (true, before.after(about, None, None).after),
            Outcome::Answered(409, ..) => (before.may_have_ended_under(request), before.clone()),
            Outcome::Answered(status, body, new) => {
                if before.is_discarded(request, *status, *new) {
                    return (true, before.clone());
                }
                let effect = before.after(about, Some(*status), *new);
                let is_right = effect.status == *status
                    && effect.body.is_none_or(|expected| expected == *body)
                    && matches!(effect.cookie, Cookie::None) == new.is_none();
                let mut after = effect.after;
                if let (Cookie::New(session), Some(new)) = (effect.cookie, new) {
                    // An id is given once.
                    if !after.insert(*new, session) {
                        return (false, before.clone());
                    }
                }
                (is_right, after)
            }
        }
    }
}

impl Sessions {
    /// A transaction says so if the session that it was to run on has ended or moved.
    fn may_have_ended_under(&self, request: &Request) -> bool {
        let session = self.find(request.id);
        let says_so = request.kind.is_transaction() || request.kind == Kind::RevokeOthers;
        says_so && session.is_some_and(|session| !session.is_live())
    }

    /// A write that found its session alive, and finds it ended when it commits, is dropped in silence.
    fn is_discarded(&self, request: &Request, status: u16, new: Option<Id>) -> bool {
        let is_write = matches!(
            request.kind,
            Kind::Set(..) | Kind::Flash(_) | Kind::Regenerate
        );
        let session = self.find(request.id);
        let is_over = session.is_some_and(|session| !session.is_live());
        is_write && is_over && status == 200 && new.is_none()
    }

    /// The status that was answered, if one was, tells which of several right answers it is. `new` is the id in the
    /// answer's cookie.
    fn after(
        &self,
        (kind, id): (&Kind, Option<Id>),
        status: Option<u16>,
        new: Option<Id>,
    ) -> Effect {
        match (kind, self.find(id)) {
            (Kind::Revoke(target), _) => self.revoke(*target, id, status),
            (Kind::RevokeOthers, session) => {
                let is_logged_in = session.is_some_and(Session::is_logged_in);
                Effect::new(if is_logged_in { 200 } else { 401 }, None, self.clone())
            }
            (Kind::LogIn(user), session) => {
                let mut values = match session {
                    Some(Session {
                        user: former,
                        life: Life::Live(values),
                    }) if former.is_none_or(|former| former == *user) => values.clone(),
                    _ => Values::new(),
                };
                values.extend(user.keys());
                self.moved(id, new, Some(*user), values)
            }
            (_, Some(session)) if matches!(session.life, Life::Moved(_)) => {
                self.nothing_but_read(kind)
            }
            (Kind::LogOut, _) => {
                let mut after = self.clone();
                after.end(id, Life::Ended);
                Effect::new(200, None, after)
            }
            (
                Kind::Regenerate,
                Some(Session {
                    user,
                    life: Life::Live(values),
                }),
            ) => self.moved(id, new, *user, values.clone()),
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
                after.replace(id.expect("it was found"), Session { user: *user, life });
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

    /// A new session, which the one with this id goes on in, if it lives.
    fn moved(&self, id: Option<Id>, new: Option<Id>, user: Option<User>, values: Values) -> Effect {
        let mut after = self.clone();
        after.end(id, Life::Moved(new));
        let mut effect = Effect::new(200, None, after);
        let life = Life::Live(values);
        effect.cookie = Cookie::New(Session { user, life });
        effect
    }

    /// It is asked whether the session is logged in, then what else its user has, and then one of that is ended: each
    /// answer is right if it was so at one of these times.
    fn revoke(&self, target: Id, id: Option<Id>, status: Option<u16>) -> Effect {
        let session = self.find(id);
        let is_logged_in = session.is_some_and(Session::is_logged_in);
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
