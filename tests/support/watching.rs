//! What one process does to a session, another that watches it is told. On every store.

use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use wiz_session::{
    Ended, Handle, Key, SessionStore, WizSessionLayer,
    test_util::{logged_in, session_cookie, with_session},
};

/// What the store's pushes tell other processes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pushes {
    /// All is seen by looking.
    Nothing,
    Ends,
    EndsAndChanges,
}

/// What is pushed arrives within this, on a machine that does other things too.
const AT_ONCE: Duration = Duration::from_secs(2);

/// So rarely that nothing below is seen by a look.
const NEVER: Duration = Duration::from_secs(60 * 60);

const OFTEN: Duration = Duration::from_millis(200);

/// Two processes that share a store.
struct Processes {
    here: WizSessionLayer,
    there: WizSessionLayer,
}

impl Processes {
    fn new(store: impl SessionStore + Clone, interval: Duration) -> Self {
        Self {
            here: layer(store.clone(), interval),
            there: layer(store, interval),
        }
    }

    async fn handle(&self, cookie: &HeaderValue) -> Handle {
        let handle = with_session(&self.here, cookie, |session| session.handle()).await;
        handle.expect("the session lives")
    }
}

pub(crate) async fn run(store: impl SessionStore + Clone, pushes: Pushes) {
    let looking = Processes::new(store.clone(), OFTEN);
    every_end_is_told(&looking, pushes >= Pushes::Ends).await;
    every_change_is_told(&looking).await;
    let pushing = Processes::new(store, NEVER);
    if pushes >= Pushes::Ends {
        every_end_is_told(&pushing, true).await;
    }
    if pushes == Pushes::EndsAndChanges {
        every_change_is_told(&pushing).await;
    }
}

/// `knows_why`: a session that a look does not find was deleted by whatever means.
async fn every_end_is_told(Processes { here, there }: &Processes, knows_why: bool) {
    let processes = Processes {
        here: here.clone(),
        there: there.clone(),
    };
    let user = format!("user {:?}", Instant::now());
    for end in 0..5 {
        let cookie = logged_in(here, &user).await;
        let handle = processes.handle(&cookie).await;
        let watch = here.sessions().watch(handle);
        let watches = tokio::spawn(async move { watch.ended().await });
        // It is being looked at, and pushes are listened for.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!watches.is_finished());
        let sessions = there.sessions();
        let expected = match end {
            0 => {
                with_session(there, &cookie, |session| assert!(session.log_out())).await;
                Ended::LoggedOut
            }
            1 => {
                assert!(sessions.revoke(handle).await.expect("the store answers"));
                Ended::LoggedOut
            }
            2 => {
                assert_eq!(
                    sessions
                        .revoke_user(&user)
                        .await
                        .expect("the store answers"),
                    1
                );
                if knows_why {
                    Ended::Revoked
                } else {
                    Ended::LoggedOut
                }
            }
            3 => {
                with_session(there, &cookie, |session| session.regenerate()).await;
                Ended::Moved
            }
            _ => {
                with_session(there, &cookie, |session| session.log_in(&user)).await;
                Ended::Moved
            }
        };
        let told = tokio::time::timeout(AT_ONCE, watches).await;
        let why = told
            .unwrap_or_else(|_| panic!("end {end} is not told"))
            .expect("no panic");
        assert_eq!(why, expected, "end {end}");
        sessions
            .revoke_user(&user)
            .await
            .expect("the store answers");
    }
}

async fn every_change_is_told(Processes { here, there }: &Processes) {
    let cookie = session_cookie(here, |session| session.set("n", 0)).await;
    let session = with_session(here, &cookie, Clone::clone).await;
    // Once it is watched, and pushes are listened for.
    let first = tokio::time::timeout(Duration::from_millis(300), session.changed()).await;
    assert!(first.is_err(), "nothing has changed");
    for n in 1..=5 {
        let written = with_session(there, &cookie, |session| session.set("n", n)).await;
        written.expect("it fits");
        let told = tokio::time::timeout(AT_ONCE, session.changed()).await;
        told.unwrap_or_else(|_| panic!("change {n} is not told"));
        session.reload().await.expect("the store answers");
        assert_eq!(session.get("n").expect("a number"), Some(n));
    }
}

/// A process with this store.
pub(crate) fn layer(store: impl SessionStore, interval: Duration) -> WizSessionLayer {
    let builder = WizSessionLayer::builder(store, Key::from(&[7; 64]));
    let builder = builder.watch_interval(interval);
    builder.build().expect("the settings are valid")
}

/// Ends a session over there, and returns how long it took until that was known here.
pub(crate) async fn told_after(
    here: &WizSessionLayer,
    there: &WizSessionLayer,
    worst: impl AsyncFnOnce(),
) -> Duration {
    let cookie = logged_in(there, "alice").await;
    let handle = with_session(there, &cookie, |session| session.handle()).await;
    let watch = here.sessions().watch(handle.expect("a session"));
    let early = tokio::time::timeout(Duration::from_millis(500), watch.ended()).await;
    assert!(early.is_err(), "it lives");
    worst().await;
    with_session(there, &cookie, |session| assert!(session.log_out())).await;
    let since = Instant::now();
    let told = tokio::time::timeout(Duration::from_secs(30), watch.ended()).await;
    assert_eq!(told, Ok(Ended::LoggedOut));
    since.elapsed()
}
