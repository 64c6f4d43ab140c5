//! Commits in doubt whose call is done late, or whose session others change or end before the look-up: whether they were
//! done can be told, up to a point.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::StatusCode;
use wiz_session::{
    Error, Handle, Key, MemoryStore, Record, SessionStore, WizSession, WizSessionLayer,
    forward_session_store, store::Created,
};

use crate::support::{Browser, Fault, Reply, Site, StoreMethod};

/// How an update in doubt, done or not, ends if so many others commit before anybody looks.
async fn resolved_after(others: u32, fault: Fault) -> (Option<Error>, Option<u32>) {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let mut error = None;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 1).unwrap();
            site.store.fault(StoreMethod::Replace, fault);
            site.store.fault(StoreMethod::Load, Fault::Fail);
            assert!(session.save().await.unwrap_err().is_in_doubt());
            site.store.heal();
            for n in 0..others {
                tab.write("n", n).await;
            }
            error = session.save().await.err();
            session.set("later", 1).unwrap();
            session.save().await.unwrap();
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("later").await, Some(1), "the handle works on");
    assert_eq!(browser.read("n").await, others.checked_sub(1));
    (error, browser.read("a").await)
}

#[tokio::test]
async fn a_commit_that_too_many_others_came_after_is_an_error_and_not_a_second_time() {
    for others in [0, 1, 7] {
        let (error, a) = resolved_after(others, Fault::DoneThenFail).await;
        assert!(error.is_none(), "{others}: {error:?}");
        assert_eq!(a, Some(2), "{others}");
    }
    for others in [8, 9, 20] {
        let (error, a) = resolved_after(others, Fault::DoneThenFail).await;
        let error = error.expect("nobody can tell any more");
        assert!(error.is_in_doubt(), "{others}: {error}");
        assert!(error.to_string().contains("can no longer be told"));
        assert_eq!(error.status(), StatusCode::CONFLICT);
        assert_eq!(a, Some(2), "{others}");
    }
}

#[tokio::test]
async fn a_commit_that_was_not_done_is_done_unless_too_many_others_came_after_it() {
    for others in [0, 1, 8] {
        let (error, a) = resolved_after(others, Fault::Fail).await;
        assert!(error.is_none(), "{others}: {error:?}");
        assert_eq!(a, Some(2), "{others}");
    }
    for others in [9, 20] {
        let (error, a) = resolved_after(others, Fault::Fail).await;
        assert!(error.is_some_and(|error| error.is_in_doubt()), "{others}");
        assert_eq!(a, Some(1), "{others}");
    }
}

/// An update in doubt, of which nothing can be learned.
async fn in_doubt(site: &Site, session: &WizSession) {
    session.update("a", |a: &mut u32| *a += 1).unwrap();
    site.store.fault(StoreMethod::Replace, Fault::DoneThenFail);
    site.store.fault(StoreMethod::Load, Fault::Fail);
    assert!(session.save().await.unwrap_err().is_in_doubt());
}

#[tokio::test]
async fn what_is_still_in_doubt_after_the_handler_is_503() {
    for changes_more in [false, true] {
        for is_kept in [false, true] {
            let case = format!("changes more: {changes_more}, kept: {is_kept}");
            let site = Site::new();
            let mut browser = site.visitor().await;
            let mut kept = None;
            let reply = browser
                .visit(async |session| {
                    in_doubt(&site, &session).await;
                    if changes_more {
                        session.set("b", 2).unwrap();
                    }
                    site.store.heal();
                    site.store.fault(StoreMethod::Load, Fault::Fail);
                    kept = is_kept.then(|| session.clone());
                })
                .await;
            site.store.heal();
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{case}");
            assert_eq!(browser.read("a").await, Some(2), "{case}");
        }
    }
}

#[tokio::test]
async fn a_login_after_a_commit_in_doubt_on_a_session_that_others_end_begins_another_one() {
    for is_kept in [false, true] {
        for site in Site::with_and_without_cache() {
            let mut browser = site.visitor().await;
            let mut tab = browser.through(site.unwatched());
            let mut kept = None;
            let reply = browser
                .visit(async |session| {
                    in_doubt(&site, &session).await;
                    site.store.heal();
                    tab.visit(async |session| session.clear()).await;
                    session.log_in("alice");
                    kept = is_kept.then(|| session.clone());
                })
                .await;
            assert_eq!(reply.status, StatusCode::OK, "kept: {is_kept}");
            let user = browser.visit(async |session| session.user().unwrap_or_default());
            assert_eq!(user.await.body, "alice", "kept: {is_kept}");
        }
    }
}

/// A store that answers the first `create` with an error, and does it when it comes to it.
#[derive(Clone, Default)]
struct Late {
    store: MemoryStore,
    is_called: Arc<AtomicBool>,
    in_flight: Arc<Mutex<Option<(Handle, Record)>>>,
    moment: Moment,
}

/// When the late call is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Moment {
    /// Before the next one.
    BeforeTheNext,
    #[default]
    AfterTheNext,
}

impl Late {
    async fn arrive(&self, at: Moment) {
        let late = self
            .in_flight
            .lock()
            .unwrap()
            .take_if(|_| at == self.moment);
        if let Some((handle, record)) = late {
            self.store.create(handle, &record).await.unwrap();
        }
    }
}

impl SessionStore for Late {
    forward_session_store!(self => self.store, except [create]);

    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        if !self.is_called.swap(true, Ordering::Relaxed) {
            *self.in_flight.lock().unwrap() = Some((handle, record.clone()));
            return Err(Error::store("the connection broke"));
        }
        self.arrive(Moment::BeforeTheNext).await;
        let created = self.store.create(handle, record).await;
        self.arrive(Moment::AfterTheNext).await;
        created
    }
}

#[tokio::test]
async fn a_session_that_is_begun_late_leaves_no_second_one_behind() {
    for moment in [Moment::BeforeTheNext, Moment::AfterTheNext] {
        for logs_in in [false, true] {
            let case = format!("{moment:?}, logs in: {logs_in}");
            let late = Late {
                moment,
                ..Late::default()
            };
            let layer = WizSessionLayer::new(late.clone(), Key::generate());
            let mut browser = Browser::new(layer.clone());
            let reply = browser
                .visit(async |session| {
                    session.update("a", |a: &mut u32| *a += 1).unwrap();
                    assert!(session.save().await.unwrap_err().is_store());
                    session.update("a", |a: &mut u32| *a += 1).unwrap();
                    if logs_in {
                        session.log_in(7);
                    }
                })
                .await;
            assert_eq!(reply.cookies().len(), 1, "{case}");
            assert_eq!(browser.read("a").await, Some(2), "{case}");
            assert_eq!(layer.sessions().count().await.unwrap(), 1, "{case}");
        }
    }
}

/// How others end a session between a commit of `b = 2` and its look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Cleared,
    Moved,
}

/// What the commit answers, and the tab that ended its session.
async fn ended_before_the_look_up(
    write: Fault,
    end: End,
    commit: impl AsyncFnOnce(&WizSession) -> Result<(), Error>,
) -> (Reply, Option<Error>, Browser) {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let mut error = None;
    let reply = browser
        .visit(async |session| {
            site.store.fault(StoreMethod::Replace, write);
            let look_up = site.store.pause(StoreMethod::Load);
            let others = async {
                look_up.reached().await;
                site.store.heal();
                tab.visit(async |session| match end {
                    End::Cleared => session.clear(),
                    End::Moved => session.regenerate(),
                })
                .await;
                look_up.open();
            };
            let (committed, ()) = tokio::join!(commit(&session), others);
            error = committed.err();
        })
        .await;
    (reply, error, tab)
}

/// Others may have seen it: an error that it was not done would be wrong.
#[tokio::test]
async fn whether_it_was_done_before_the_session_was_deleted_cannot_be_told() {
    for write in [Fault::DoneThenFail, Fault::Fail] {
        for end in [End::Cleared, End::Moved] {
            for runs in [false, true] {
                let case = format!("{write:?}, {end:?}, in a transaction: {runs}");
                let commit = async |session: &WizSession| {
                    if runs {
                        return session.transaction(|tx| tx.set("b", 2)).await;
                    }
                    session.set("b", 2)?;
                    session.save().await
                };
                let (reply, error, mut tab) =
                    ended_before_the_look_up(write.clone(), end, commit).await;
                reply.is_ok_without_cookie();
                let is_done = matches!(write, Fault::DoneThenFail);
                let lives_on = is_done && end == End::Moved;
                assert_eq!(tab.read("b").await, lives_on.then_some(2), "{case}");
                // What has moved still knows its last commits.
                if lives_on {
                    assert!(error.is_none(), "{case}: {error:?}");
                    continue;
                }
                let error = error.expect(&case);
                assert!(error.is_gone(), "{case}: {error}");
                assert_eq!(error.is_in_doubt(), end == End::Cleared, "{case}: {error}");
                assert_eq!(error.status(), StatusCode::CONFLICT, "{case}");
            }
        }
    }
}
