use std::{fmt, time::SystemTime};

use http::{Response, StatusCode};
use tokio::{sync::oneshot, task::JoinHandle};
use wiz_session::{Error, SessionBody, Transaction, WizSession};

use super::{Op, Run, Time, commit::Refused, request::Request};

/// A request under way: the real one, and what the model knows of it.
pub(super) struct Open {
    /// Which process it came to.
    pub(super) process: usize,
    pub(super) session: WizSession,
    pub(super) answer: oneshot::Sender<StatusCode>,
    pub(super) response: JoinHandle<Response<SessionBody<String>>>,
    pub(super) cookie: Option<String>,
    pub(super) model: Request,
    pub(super) did: Vec<String>,
}

impl Open {
    pub(super) fn act(&mut self, op: Op) {
        self.did.push(format!("{op:?}"));
        let session = &self.session;
        match op {
            Op::Set(key, value) => session.set(key, value).expect("a number fits"),
            Op::Delete(key) => drop(session.delete(key)),
            Op::Add(key, by) => drop(
                session
                    .update(key, move |n: &mut i64| *n += by)
                    .expect("a number"),
            ),
            Op::Regenerate => session.regenerate(),
            Op::LogIn(user, _) => session.log_in(user),
            Op::Remember(Some(how_long)) => session.remember(how_long),
            Op::Remember(None) => session.forget(),
            Op::SkipTouch => session.skip_touch(),
            Op::Clear => session.clear(),
        }
        self.model.act(op);
    }

    /// What the request sees is what the model does.
    pub(super) fn check(&self, began: SystemTime) {
        assert_eq!(self.sees(began), Seen::of(&self.model), "{self:?}");
    }

    pub(super) fn sees(&self, began: SystemTime) -> Seen {
        let session = &self.session;
        let end = session.expires_at();
        Seen {
            data: session.to_map().into(),
            user: session.user(),
            is_new: session.is_new(),
            is_ended: session.is_ended(),
            end: end.map(|end| end.duration_since(began).expect("later")),
        }
    }
}

/// What a request sees of its session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    data: serde_json::Value,
    user: Option<String>,
    is_new: bool,
    is_ended: bool,
    pub(super) end: Option<Time>,
}

impl Seen {
    pub(super) fn of(model: &Request) -> Self {
        Self {
            data: serde_json::to_value(&model.data).expect("numbers"),
            user: model.user().map(str::to_owned),
            is_new: model.live().is_none(),
            is_ended: model.is_ended(),
            end: model.live().map(|(_, stored)| stored.expires_at),
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            did,
            process,
            cookie,
            model,
            ..
        } = self;
        write!(
            f,
            "{did:?} on {cookie:?} at process {process}, for the model {model:?}"
        )
    }
}

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum Failed {
    Closure,
    Session(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl Failed {
    pub(super) fn refused(self) -> Refused {
        match self {
            Self::Closure => Refused::Aborted,
            Self::Session(error) => refused(&error),
        }
    }
}

pub(super) fn outcome(result: Result<(), Error>) -> Result<(), Refused> {
    result.map_err(|error| refused(&error))
}

fn refused(error: &Error) -> Refused {
    assert!(error.is_gone(), "{error}");
    match error.to_string().contains("expired") {
        true => Refused::Expired,
        false => Refused::Gone,
    }
}

impl Run {
    pub(super) fn on(self, tx: &mut Transaction<'_>) -> Result<Option<i64>, Failed> {
        Ok(match self {
            Self::Count(by) => Some(tx.update("n", |n: &mut i64| *n += by)?),
            Self::Read => tx.get("a")?,
            Self::Take => tx.take("b")?,
            Self::Fail => {
                tx.set("a", 9)?;
                return Err(Failed::Closure);
            }
        })
    }
}
