use std::error::Error as _;

use axum::response::IntoResponse;
use wiz_session::Error;

/// What is put into values, passwords and users, and must not turn up in a message.
pub(crate) const SECRET: &str = "hunter2";

/// An error as its user meets it.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) message: String,
    /// What an engine said.
    cause: Option<String>,
    pub(crate) response: Option<u16>,
}

impl Met {
    /// An error that is no response.
    pub(crate) fn told(message: &impl ToString) -> Self {
        Self {
            message: message.to_string(),
            cause: None,
            response: None,
        }
    }

    pub(crate) fn holds_no_secret(&self) {
        let told = format!("{self:?}");
        assert!(!told.contains(SECRET), "{told}");
    }

    /// The cause is this one: the message is there for the reason that it should be.
    #[track_caller]
    pub(crate) fn because(self, what: &str) -> Self {
        let cause = self.cause.as_deref().unwrap_or_default();
        assert!(cause.contains(what), "{what:?} is not why: {self:?}");
        self
    }
}

impl Met {
    /// As [`because`](Self::because), and this is what the message says to do about it.
    #[track_caller]
    pub(crate) fn advised(self, cause: &str, what: &str) -> Self {
        assert!(
            self.message.contains(what),
            "{what:?} is not advised: {self:?}"
        );
        self.because(cause)
    }
}

impl From<Error> for Met {
    fn from(error: Error) -> Self {
        let (message, cause) = (error.to_string(), error.source().map(ToString::to_string));
        Self {
            message,
            cause,
            response: Some(error.into_response().status().as_u16()),
        }
    }
}

/// The error of what must fail.
#[track_caller]
pub(crate) fn failure<T>(result: Result<T, Error>) -> Met {
    match result {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.into(),
    }
}
