use std::{fmt, time::SystemTime};

use http::{Response, StatusCode};
use tokio::{sync::oneshot, task::JoinHandle};
use wiz_session::{Error, SessionBody, Transaction, WizSession};

use super::{Data, Op, Run, Time, commit::Refused, request::Request};

/// A request under way: the real one, and what the model knows of it.
pub(super) struct Open {
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
        let Self { session, model, .. } = self;
        let data: serde_json::Value = session.to_map().into();
        assert_eq!(data, to_real(&model.data), "{self:?}");
        assert_eq!(session.user().as_deref(), model.user(), "{self:?}");
        assert_eq!(session.is_new(), model.live().is_none(), "{self:?}");
        assert_eq!(session.is_ended(), model.is_ended(), "{self:?}");
        let end = session.expires_at();
        let end: Option<Time> = end.map(|end| end.duration_since(began).expect("later"));
        let expected = model.live().map(|(_, stored)| stored.expires_at);
        assert_eq!(end, expected, "{self:?}");
    }
}

fn to_real(data: &Data) -> serde_json::Value {
    serde_json::to_value(data).expect("numbers")
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            did, cookie, model, ..
        } = self;
        write!(f, "{did:?} on {cookie:?}, for the model {model:?}")
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
