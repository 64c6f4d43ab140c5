use std::{
    pin::Pin,
    task::{Context, Poll},
};

use fastrand::Rng;
use http::StatusCode;
use wiz_session::{Error, Handle, WizSession};

use super::{Token, Visit, store::Faulty};

/// What a handler does, one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Push(Token),
    SetOwn(Token),
    Transact(Token),
    LogIn(&'static str),
    Regenerate,
    Clear,
    Save,
    Reload,
    Wait,
}

impl Step {
    /// Those of one request log in as one user: a second would start empty.
    pub(super) fn random(rng: &mut Rng, token: Token, user: &'static str) -> Self {
        match rng.u8(..20) {
            0..5 => Self::Push(token),
            5..8 => Self::SetOwn(token),
            8..11 => Self::Transact(token),
            11 | 12 => Self::LogIn(user),
            13 => Self::Regenerate,
            14 => Self::Clear,
            15..18 => Self::Save,
            18 => Self::Reload,
            _ => Self::Wait,
        }
    }
}

/// What a request was told of its tokens.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Not committed yet, as far as it knows.
    pub(super) pending: Vec<Token>,
    /// A commit of those that are pending was tried, and may have been done.
    pub(super) has_tried: bool,
    pub(super) refused: Vec<Token>,
    pub(super) has_cleared: bool,
    /// Where it stood when its handler was over.
    pub(super) handle: Option<Handle>,
    pub(super) is_ended: bool,
    pub(super) did: Vec<String>,
}

impl Told {
    pub(super) async fn handle(
        &mut self,
        session: &WizSession,
        steps: &[Step],
        store: &Faulty,
    ) -> StatusCode {
        store.log().seen.extend(session.handle());
        for step in steps {
            store.log().tell(|| format!("{step:?}"));
            let done = self.step(session, *step, store).await;
            store.log().tell(|| format!("{step:?} came to {done:?}"));
            self.did.push(match &done {
                Ok(()) => format!("{step:?}"),
                Err(error) => format!("{step:?}: {error}"),
            });
            store.log().seen.extend(session.handle());
        }
        (self.handle, self.is_ended) = (session.handle(), session.is_ended());
        StatusCode::OK
    }

    async fn step(
        &mut self,
        session: &WizSession,
        step: Step,
        store: &Faulty,
    ) -> Result<(), Error> {
        match step {
            Step::Push(token) => {
                session.update("list", move |list: &mut Vec<Token>| list.push(token))?;
                self.pending.push(token);
            }
            Step::SetOwn(token) => {
                session.set(&format!("own {token}"), 1)?;
                self.pending.push(token);
            }
            Step::LogIn(user) => {
                if session.user().is_some_and(|former| former != user) {
                    self.give_up();
                }
                session.log_in(user);
            }
            Step::Regenerate => session.regenerate(),
            Step::Clear => {
                store.log().cleared.extend(session.handle());
                session.clear();
                self.has_cleared = true;
                self.give_up();
            }
            Step::Save => {
                for _ in 0..3 {
                    let saved = session.save().await;
                    self.tried(&saved, None, store);
                    match saved {
                        Err(error) if error.is_gone() => return Err(error),
                        Err(_) => {}
                        Ok(()) => return Ok(()),
                    }
                }
            }
            Step::Transact(token) => {
                let push = |list: &mut Vec<Token>| list.push(token);
                let count = session.transaction(|tx| tx.update("list", push)).await;
                let told = count.map(|list| {
                    let times = list.iter().filter(|other| **other == token).count();
                    assert_eq!(times, 1, "the committed list has it once");
                });
                self.tried(&told, Some(token), store);
                return told;
            }
            Step::Reload => {
                let reloaded = session.reload().await;
                if reloaded.as_ref().is_err_and(Error::is_gone) {
                    // A login may take up what was done to a session that had ended before.
                    self.pending.clear();
                }
                return reloaded;
            }
            Step::Wait => tokio::task::yield_now().await,
        }
        Ok(())
    }

    /// A commit of what is pending, and of a transaction's token, was answered.
    fn tried(&mut self, answer: &Result<(), Error>, own: Option<Token>, store: &Faulty) {
        match answer {
            Ok(()) => {
                let log = store.log();
                let pending = self.pending.drain(..);
                // A transaction after a login swallows that the session ended under an earlier try: see
                // `a_transaction_after_a_login_does_not_say_ok_for_what_an_earlier_one_lost`.
                let is_told = own.is_none() || !self.has_tried;
                for token in pending.filter(|_| is_told).chain(own) {
                    assert!(log.stored.contains(&token), "{token} was acknowledged");
                }
                self.has_tried = false;
            }
            Err(error) => {
                // Of a transaction that is in doubt the next call finds out, and nobody tells.
                self.refused.extend(own.filter(|_| !error.is_in_doubt()));
                self.has_tried = true;
                if error.is_gone() {
                    self.pending.clear();
                }
                if error.to_string().contains("can no longer be told") {
                    self.pending.clear();
                }
            }
        }
    }

    /// What is pending is dropped by the application.
    pub(super) fn give_up(&mut self) {
        let dropped = std::mem::take(&mut self.pending);
        if !self.has_tried {
            self.refused.extend(dropped);
        }
    }
}

/// A request whose client goes away after so many polls.
pub(super) struct Impatient<T> {
    pub(super) request: Option<Pin<Box<dyn Future<Output = T>>>>,
    pub(super) polls_left: u32,
    pub(super) visit: Visit,
    pub(super) store: Faulty,
}

impl<T> Future for Impatient<T> {
    /// `None` if it was dropped.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.store.log().visit = self.visit;
        if self.polls_left == 0 {
            self.request = None;
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        let request = self.request.as_mut().expect("it is not over");
        request.as_mut().poll(cx).map(Some)
    }
}
