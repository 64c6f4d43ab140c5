//! Handles that outlive their request: of sockets, streams and jobs, while the layer commits, fails, or is left by its
//! client.

use std::sync::Arc;

use http::StatusCode;
use tokio::{sync::Notify, task::JoinHandle};
use wiz_session::{Error, WizSession};

use crate::support::{Browser, Fault, Site, StoreMethod};

/// Visits, and keeps the session after the response was sent, as a socket does.
async fn open_socket(browser: &mut Browser) -> WizSession {
    let mut kept = None;
    browser.visit(async |session| kept = Some(session)).await;
    kept.expect("it was visited")
}

#[tokio::test]
async fn a_socket_that_sets_what_it_once_loaded_sets_it_on_the_newest_record() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let socket = open_socket(&mut browser).await;
        assert_eq!(socket.get("a").unwrap(), Some(1));
        browser.write("a", 5).await;
        socket.set("a", 1).unwrap();
        socket.save().await.unwrap();
        assert_eq!(browser.read("a").await, Some(1));
        assert_eq!(socket.get("a").unwrap(), Some(1));
    }
}

#[tokio::test]
async fn a_socket_deletes_a_key_that_it_never_saw() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let socket = open_socket(&mut browser).await;
        browser.write("late", 1).await;
        assert!(!socket.delete("late"), "it has not seen it");
        socket.save().await.unwrap();
        assert_eq!(browser.read::<u32>("late").await, None);
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn what_a_socket_undoes_again_is_undone_on_the_newest_record() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let socket = open_socket(&mut browser).await;
        browser.write("a", 5).await;
        socket.set("a", 2).unwrap();
        socket.set("a", 1).unwrap();
        socket.save().await.unwrap();
        assert_eq!(browser.read("a").await, Some(1));
    }
}

#[tokio::test]
async fn a_socket_that_sets_what_is_already_there_writes_nothing() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let socket = open_socket(&mut browser).await;
        browser.write("b", 5).await;
        site.store.take_calls();
        socket.set("a", 1).unwrap();
        socket.delete("never there");
        socket.save().await.unwrap();
        assert_eq!(site.store.take_calls(), [StoreMethod::Load]);
        assert_eq!(
            socket.get("b").unwrap(),
            Some(5),
            "and sees the newest record"
        );
    }
}

/// A request whose handler leaves a job behind, which saves once it is told.
struct Job {
    start: Arc<Notify>,
    saved: JoinHandle<Result<(), Error>>,
}

impl Job {
    fn spawn(session: &WizSession) -> Self {
        let start = Arc::<Notify>::default();
        let (session, told) = (session.clone(), Arc::clone(&start));
        let saved = tokio::spawn(async move {
            told.notified().await;
            session.save().await
        });
        Self { start, saved }
    }

    async fn finish(self) -> Result<(), Error> {
        self.start.notify_one();
        self.saved.await.expect("it does not panic")
    }
}

/// Never Ok and lost, nor an error and stored.
async fn is_honest(browser: &mut Browser, saved: &Result<(), Error>) {
    let stored = browser.read("b").await == Some(2);
    assert_eq!(saved.is_ok(), stored, "{saved:?}");
}

#[tokio::test]
async fn a_job_saves_what_the_commit_after_the_handler_failed_to() {
    for fault in [Fault::Fail, Fault::DoneThenFail] {
        for site in Site::with_and_without_cache() {
            let mut browser = site.visitor().await;
            let mut job = None;
            let reply = browser
                .visit(async |session| {
                    session.set("b", 2).unwrap();
                    session.update("a", |a: &mut u32| *a += 1).unwrap();
                    job = Some(Job::spawn(&session));
                    site.store.fault(StoreMethod::Replace, fault.clone());
                    site.store.fault(StoreMethod::Load, Fault::Fail);
                })
                .await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
            site.store.heal();
            let saved = job.expect("it was spawned").finish().await;
            saved.as_ref().expect("the store works again");
            is_honest(&mut browser, &saved).await;
            assert_eq!(browser.read("a").await, Some(2), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_job_that_saves_while_the_commit_after_the_handler_fails_is_told_so_or_stored() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let mut job = None;
        let gate = site.store.pause(StoreMethod::Replace);
        let visit = browser.visit(async |session| {
            session.set("b", 2).unwrap();
            job = Some(Job::spawn(&session));
        });
        let fail = async {
            gate.reached().await;
            site.store.fault(StoreMethod::Replace, Fault::DoneThenFail);
            site.store.fault(StoreMethod::Load, Fault::Fail);
            gate.open();
        };
        let (reply, ()) = tokio::join!(visit, fail);
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        let job = job.expect("it was spawned");
        job.start.notify_one();
        let error = job.saved.await.unwrap().unwrap_err();
        assert!(error.is_store(), "{error}");
        site.store.heal();
        assert_eq!(browser.read("b").await, Some(2));
    }
}

#[tokio::test]
async fn a_job_stores_what_it_saves_though_the_client_left() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let mut job = None;
        let mut tab = browser.clone();
        tab.visit_and_leave(async |session| {
            session.set("b", 2).unwrap();
            job = Some(Job::spawn(&session));
            std::future::pending::<()>().await;
        });
        let saved = job.expect("it was spawned").finish().await;
        saved.as_ref().expect("the session lives");
        is_honest(&mut browser, &saved).await;
    }
}

#[tokio::test]
async fn a_job_stores_what_it_saves_though_the_client_left_during_the_commit() {
    for fault in [Fault::Hang, Fault::DoneThenHang] {
        for site in Site::with_and_without_cache() {
            let mut browser = site.visitor().await;
            let mut job = None;
            let mut tab = browser.clone();
            site.store.fault(StoreMethod::Replace, fault.clone());
            tab.visit_and_leave(async |session| {
                session.update("a", |a: &mut u32| *a += 1).unwrap();
                session.set("b", 2).unwrap();
                job = Some(Job::spawn(&session));
            });
            site.store.heal();
            let saved = job.expect("it was spawned").finish().await;
            saved.as_ref().expect("the session lives");
            is_honest(&mut browser, &saved).await;
            assert_eq!(browser.read("a").await, Some(2), "{fault:?}");
        }
    }
}

/// A handler that set `b`, kept its session and answered 500.
async fn answered_500(site: &Site) -> (Browser, WizSession) {
    let mut browser = site.visitor().await;
    let mut kept = None;
    browser
        .visit(async |session| {
            session.set("b", 2).unwrap();
            kept = Some(session);
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    (browser, kept.expect("it was visited"))
}

#[tokio::test]
async fn a_job_of_a_handler_that_answers_500_is_told_that_its_changes_were_dropped() {
    for site in Site::with_and_without_cache() {
        let (mut browser, kept) = answered_500(&site).await;
        for _ in 0..2 {
            kept.set("c", 3).unwrap();
            for error in [
                kept.save().await.unwrap_err(),
                kept.transaction(|tx| tx.set("c", 3)).await.unwrap_err(),
            ] {
                assert!(error.is_gone() && !error.is_headers_sent(), "{error}");
                assert!(
                    error.to_string().contains("`reload` to go on"),
                    "it says what helps: {error}"
                );
            }
            assert_eq!(browser.read::<u32>("b").await, None);
            assert_eq!(browser.read::<u32>("c").await, None);
        }
        kept.reload().await.unwrap();
        kept.set("d", 4).unwrap();
        kept.save().await.unwrap();
        assert_eq!(browser.read("d").await, Some(4));
        assert_eq!(browser.read::<u32>("b").await, None);
    }
}

#[tokio::test]
async fn what_a_save_failed_to_store_is_dropped_with_the_500_that_follows() {
    for is_kept in [false, true] {
        for begins in [false, true] {
            for site in Site::with_and_without_cache() {
                let mut browser = match begins {
                    true => site.browser(),
                    false => site.visitor().await,
                };
                let mut kept = None;
                let reply = browser
                    .visit(async |session| {
                        session.update("a", |a: &mut u32| *a += 1).unwrap();
                        for write in [StoreMethod::Create, StoreMethod::Replace] {
                            site.store.fault(write, Fault::Fail);
                        }
                        assert!(session.save().await.unwrap_err().is_store());
                        site.store.heal();
                        kept = is_kept.then_some(session);
                        StatusCode::INTERNAL_SERVER_ERROR
                    })
                    .await;
                assert!(reply.cookies().is_empty());
                if let Some(kept) = kept {
                    assert!(kept.save().await.unwrap_err().is_gone());
                }
                let before = (!begins).then_some(1);
                assert_eq!(browser.read::<u32>("a").await, before);
                assert_eq!(site.sessions().await, u64::from(!begins));
            }
        }
    }
}

#[tokio::test]
async fn a_job_of_a_handler_that_answers_500_can_still_end_the_session() {
    for site in Site::with_and_without_cache() {
        let (_, kept) = answered_500(&site).await;
        assert!(kept.save().await.unwrap_err().is_gone());
        kept.clear();
        kept.save().await.unwrap();
        assert_eq!(site.sessions().await, 0);
    }
}

#[tokio::test]
async fn a_save_that_is_under_way_when_the_handler_answers_500_is_stored_if_it_says_so() {
    for site in Site::with_and_without_cache() {
        let mut browser = site.visitor().await;
        let gate = site.store.pause(StoreMethod::Replace);
        let mut job = None;
        let visit = browser.visit(async |session| {
            session.set("b", 2).unwrap();
            let under_way = Job::spawn(&session);
            under_way.start.notify_one();
            gate.reached().await;
            job = Some(under_way);
            StatusCode::INTERNAL_SERVER_ERROR
        });
        let open = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            gate.open();
        };
        tokio::join!(visit, open);
        let saved = job.expect("it was spawned").saved.await.unwrap();
        is_honest(&mut browser, &saved).await;
    }
}
