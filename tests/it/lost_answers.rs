//! A store that does the work and loses its answer: what was asked for is done once, by whoever tries again.

use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use wiz_session::{Error, WizSession};

use crate::support::{Act, Browser, Fault, Gate, Site, StoreMethod};

/// How the answer to a `save` is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The store errs.
    Fails,
    /// It never answers.
    Hangs,
    /// The call is dropped while it waits.
    Dropped,
    /// The store errs, also when it is asked what became of it.
    Unseen,
}

/// Every act, with every of its writes.
fn acts() -> impl Iterator<Item = (Act, StoreMethod)> {
    let writes = |act: Act| act.writes().iter().map(move |write| (act, *write));
    Act::ALL.into_iter().flat_map(writes)
}

/// Every act, with every of its writes that does it, or a part of it that stays.
fn acts_done() -> impl Iterator<Item = (Act, StoreMethod)> {
    acts().filter(|(act, write)| !act.is_half_done_by(*write))
}

impl Loss {
    const ALL: [Self; 4] = [Self::Fails, Self::Hangs, Self::Dropped, Self::Unseen];

    /// Saves an act, whose answer is lost. Heals the store then.
    async fn save(self, site: &Site, act: Act, write: StoreMethod, session: &WizSession) {
        let fault = match self {
            Self::Fails | Self::Unseen => Fault::DoneThenFail,
            Self::Hangs | Self::Dropped => Fault::DoneThenHang,
        };
        site.store.fault(write, fault);
        match self {
            Self::Fails | Self::Hangs => {
                let found = act.save(session).await;
                match act.is_half_done_by(write) {
                    true => assert!(found.unwrap_err().is_store(), "it is not done"),
                    false => found.expect("it is looked up"),
                }
            }
            Self::Dropped => {
                let answer = act.save(session).now_or_never();
                assert!(answer.is_none(), "it did not wait");
            }
            Self::Unseen => {
                site.store.fault(StoreMethod::Load, Fault::Fail);
                let error = act.save(session).await.unwrap_err();
                assert!(error.is_in_doubt() && error.is_store(), "{error}");
                let text = error.to_string();
                assert!(text.contains("may have been stored"), "{text}");
            }
        }
        site.store.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_save_did_though_its_answer_was_lost_the_next_save_does_not_do_again() {
    for (act, write) in acts() {
        for loss in Loss::ALL {
            for tab_writes in [false, true] {
                let case = format!("{act:?}, {write:?} {loss:?}, tab: {tab_writes}");
                for site in Site::with_and_without_cache() {
                    let mut browser = act.browser(&site).await;
                    let former = browser.handle().await;
                    let mut tab = tab_writes.then(|| browser.clone());
                    let reply = browser
                        .visit(async |session| {
                            loss.save(&site, act, write, &session).await;
                            if let Some(tab) = &mut tab {
                                tab.write("c", 3).await;
                            }
                            session.save().await
                        })
                        .await;
                    assert_eq!(reply.status, StatusCode::OK, "{case}: {reply:?}");
                    let cookies = usize::from(!act.keeps_id());
                    assert_eq!(reply.cookies().len(), cookies, "{case}");
                    act.was_done_once(&site, &mut browser, tab, former, &case)
                        .await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_save_did_though_its_answer_was_lost_the_commit_after_the_handler_does_not_do_again()
{
    for (act, write) in acts() {
        for loss in Loss::ALL {
            for is_kept in [false, true] {
                let case = format!("{act:?}, {write:?} {loss:?}, kept: {is_kept}");
                for site in Site::with_and_without_cache() {
                    let mut browser = act.browser(&site).await;
                    let former = browser.handle().await;
                    let mut kept = None;
                    let reply = browser
                        .visit(async |session| {
                            kept = is_kept.then(|| session.clone());
                            loss.save(&site, act, write, &session).await;
                        })
                        .await;
                    assert_eq!(reply.status, StatusCode::OK, "{case}: {reply:?}");
                    act.was_done_once(&site, &mut browser, None, former, &case)
                        .await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_after_the_handler_whose_answer_is_lost_is_found_done() {
    for (act, write) in acts_done() {
        for fault in [Fault::DoneThenFail, Fault::DoneThenHang] {
            for is_kept in [false, true] {
                let case = format!("{act:?}, {write:?} {fault:?}, kept: {is_kept}");
                let site = Site::with(|builder| builder.store_timeout(Duration::from_millis(50)));
                let mut browser = act.browser(&site).await;
                let former = browser.handle().await;
                let mut kept = None;
                site.store.fault(write, fault.clone());
                let reply = browser
                    .visit(async |session| {
                        kept = is_kept.then(|| session.clone());
                        act.begin(&session).await
                    })
                    .await;
                site.store.heal();
                assert_eq!(reply.status, StatusCode::OK, "{case}: {reply:?}");
                let cookies = usize::from(!act.keeps_id());
                assert_eq!(reply.cookies().len(), cookies, "{case}");
                act.was_done_once(&site, &mut browser, None, former, &case)
                    .await;
            }
        }
    }
}

/// The answer is lost, and before the layer looks what became of it another tab has written as well.
#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_found_done_below_what_others_stored_since() {
    for (act, write) in acts_done() {
        for is_kept in [false, true] {
            let case = format!("{act:?}, {write:?}, kept: {is_kept}");
            for site in Site::with_and_without_cache() {
                let mut browser = act.browser(&site).await;
                let former = browser.handle().await;
                let mut tab = browser.through(site.unwatched());
                let look_up = Gate::default();
                let mut kept = None;
                let visit = browser.visit(async |session| {
                    kept = is_kept.then(|| session.clone());
                    site.store.fault(write, Fault::DoneThenFail);
                    let pause = Fault::Pause(look_up.clone());
                    site.store.fault(StoreMethod::Load, pause);
                    act.begin(&session).await
                });
                let others = async {
                    look_up.reached().await;
                    site.store.heal();
                    tab.write("c", 3).await;
                    look_up.open();
                };
                let (reply, ()) = tokio::join!(visit, others);
                assert_eq!(reply.status, StatusCode::OK, "{case}: {reply:?}");
                act.was_done_once(&site, &mut browser, Some(tab), former, &case)
                    .await;
            }
        }
    }
}

/// A store that cannot move a session in one step has made the copy, and left the session.
#[tokio::test]
async fn a_new_id_that_was_only_begun_is_503_and_leaves_the_session() {
    for act in [Act::LogIn, Act::Regenerate] {
        for is_kept in [false, true] {
            let case = format!("{act:?}, kept: {is_kept}");
            for site in Site::with_and_without_cache() {
                let mut browser = site.visitor().await;
                let former = browser.handle().await;
                let mut kept = None;
                site.store.fault(StoreMethod::Create, Fault::DoneThenFail);
                let reply = browser
                    .visit(async |session| {
                        kept = is_kept.then(|| session.clone());
                        act.begin(&session).await
                    })
                    .await;
                site.store.heal();
                assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{case}");
                assert!(reply.cookies().is_empty(), "{case}");
                assert_eq!(browser.read("a").await, Some(1), "{case}");

                let again = browser.visit(async |session| act.begin(&session).await);
                assert_eq!(again.await.status, StatusCode::OK, "{case}");
                drop(kept);
                act.was_done_once(&site, &mut browser, None, former, &case)
                    .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_id_that_a_save_only_began_leaves_no_copy_if_it_is_given_up() {
    for act in [Act::LogIn, Act::Regenerate] {
        for loss in Loss::ALL {
            for leaves in [false, true] {
                let case = format!("{act:?} {loss:?}, the client leaves: {leaves}");
                for site in Site::with_and_without_cache() {
                    let mut browser = site.visitor().await;
                    let former = browser.handle().await;
                    let mut kept = None;
                    let visit = browser.clone();
                    let mut visit = Box::pin(async {
                        let mut browser = visit;
                        let answer = browser.visit(async |session| {
                            loss.save(&site, act, StoreMethod::Create, &session).await;
                            if leaves {
                                kept = Some(session);
                                std::future::pending::<()>().await;
                            }
                            StatusCode::INTERNAL_SERVER_ERROR
                        });
                        answer.await
                    });
                    let minute = Duration::from_secs(60);
                    match tokio::time::timeout(minute, &mut visit).await {
                        Ok(reply) => assert!(reply.cookies().is_empty(), "{case}"),
                        Err(_) => assert!(leaves, "{case}"),
                    }
                    drop(visit);
                    if let Some(kept) = kept {
                        let error = kept.save().await.unwrap_err();
                        assert!(error.is_headers_sent(), "{case}: {error}");
                    }
                    assert_eq!(browser.handle().await, former, "{case}");
                    assert_eq!(browser.read("a").await, Some(1), "{case}");
                    assert_eq!(site.sessions().await, 1, "{case}");
                }
            }
        }
    }
}

/// Then nobody can tell: it is an error, and the client's next request finds it done or not, but not twice.
#[tokio::test]
async fn a_commit_that_cannot_even_be_looked_up_is_503_without_a_cookie() {
    for (act, write) in acts() {
        let case = format!("{act:?}, {write:?}");
        for site in Site::with_and_without_cache() {
            let mut browser = act.browser(&site).await;
            let reply = browser
                .visit(async |session| {
                    site.store.fault(write, Fault::DoneThenFail);
                    site.store.fault(StoreMethod::Load, Fault::Fail);
                    act.begin(&session).await
                })
                .await;
            site.store.heal();
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{case}");
            match (act, write) {
                (Act::ClearAndSet, StoreMethod::Create) => {
                    assert!(reply.cookie().value().is_empty(), "it was cleared: {case}");
                }
                _ => assert!(reply.cookies().is_empty(), "{case}"),
            }
            if act == Act::Update {
                assert_eq!(browser.read("a").await, Some(2), "{case}");
            }
        }
    }
}

/// Polls a future so often, and drops it then. Answers whether it was done before.
fn dropped_after(polls: u32, future: impl Future<Output = Result<(), Error>>) -> bool {
    let mut future = Box::pin(future);
    (0..polls).any(|_| match (&mut future).now_or_never() {
        Some(answer) => answer.map(|()| true).expect("it does not fail"),
        None => false,
    })
}

#[tokio::test]
async fn a_save_that_is_dropped_at_any_of_its_awaits_is_done_once_by_the_next() {
    for act in Act::ALL {
        for is_behind in [false, true] {
            let mut polls = 0;
            loop {
                polls += 1;
                let case = format!("{act:?} after {polls} polls, behind: {is_behind}");
                let site = Site::new();
                let mut browser = act.browser(&site).await.through(site.yielding());
                let former = browser.handle().await;
                let mut tab: Option<Browser> = is_behind.then(|| browser.through(site.unwatched()));
                let mut was_done = false;
                let reply = browser
                    .visit(async |session| {
                        if let Some(tab) = &mut tab {
                            tab.write("c", 3).await;
                        }
                        was_done = dropped_after(polls, act.save(&session));
                        // A transaction that was dropped is not done by a save; but one that was done is known.
                        session.save().await
                    })
                    .await;
                assert_eq!(reply.status, StatusCode::OK, "{case}: {reply:?}");
                let undone = act == Act::Transaction && browser.read("a").await == Some(1);
                assert!(!(undone && was_done), "{case}");
                if !undone {
                    act.was_done_once(&site, &mut browser, tab, former, &case)
                        .await;
                }
                if was_done {
                    break;
                }
                assert!(polls < 100, "{case}: it never ends");
            }
        }
    }
}
