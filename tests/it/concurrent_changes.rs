//! What is done with a session while a call of another of its handles waits for the store.

use std::time::Duration;

use wiz_session::{Error, WizSession};

use crate::support::{Site, StoreMethod};

/// While a call waits for the store at this verb, does something else with the session.
async fn during<T>(
    site: &Site,
    verb: StoreMethod,
    call: impl Future<Output = Result<T, Error>>,
    work: impl FnOnce(),
) -> Result<T, Error> {
    let gate = site.store.pause(verb);
    let meanwhile = async {
        gate.reached().await;
        work();
        gate.open();
    };
    tokio::join!(call, meanwhile).0
}

#[tokio::test]
async fn another_user_who_logs_in_during_a_save_starts_empty() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.set("secret", "of alice")
        })
        .await;
    browser
        .visit(async |session| {
            session.set("b", 2)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                session.log_in("bob");
            })
            .await
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert!(session.is_empty(), "{:?}", session.keys());
        })
        .await;
}

#[tokio::test]
async fn a_clear_during_a_save_ends_what_it_creates() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            session.set("a", 1)?;
            during(&site, StoreMethod::Create, session.save(), || {
                session.clear();
            })
            .await
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_clear_during_a_save_after_clear_ends_what_it_creates() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.clear();
            session.set("a", 2)?;
            during(&site, StoreMethod::Create, session.save(), || {
                session.clear();
            })
            .await
        })
        .await;
    assert!(reply.cookie().value().is_empty());
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_save_whose_later_changes_do_not_fit_keeps_its_new_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("b", "text").await;
            session.regenerate();
            let later = || {
                session.update("b", |b: &mut u32| *b += 1).unwrap();
            };
            let _decode = during(&site, StoreMethod::Create, session.save(), later).await;
        })
        .await;
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn what_is_written_during_a_save_is_kept_for_the_next() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 1)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                session.update("a", |a: &mut u32| *a += 1).unwrap();
                session.set("b", 2).unwrap();
            })
            .await?;
            assert_eq!((session.get("a")?, session.get("b")?), (Some(3), Some(2)));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(3), Some(2))
    );
}

#[tokio::test]
async fn a_login_during_a_save_is_done_after_it() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.regenerate();
            during(&site, StoreMethod::Create, session.save(), || {
                session.log_in("alice");
            })
            .await
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("alice"));
            assert_eq!(session.get("a").unwrap(), Some(1));
        })
        .await;
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_change_that_undoes_what_is_being_saved_is_kept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.set("b", 1)?;
            session.update("a", |a: &mut i32| *a += 1)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                assert!(session.delete("b"));
                session.update("a", |a: &mut i32| *a -= 1).unwrap();
            })
            .await?;
            assert_eq!(
                session.to_map(),
                serde_json::from_str(r#"{"a":1}"#).unwrap()
            );
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read::<i32>("a").await, Some(1));
    assert_eq!(browser.read::<i32>("b").await, None);
}

#[tokio::test]
async fn a_change_undone_after_a_save_that_was_given_up_stores_nothing() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            session.set("b", 1).unwrap();
            let gate = site.store.pause(StoreMethod::Create);
            tokio::select! { _ = session.save() => panic!("it did not wait"), () = gate.reached() => {} }
            site.store.heal();
            session.delete("b");
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn an_update_of_what_was_set_anew_during_a_save_is_kept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut i32| *a += 1)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                session.set("a", 1).unwrap();
                session.update("a", |a: &mut i32| *a += 10).unwrap();
            })
            .await
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(11));
}

#[tokio::test]
async fn a_clear_during_a_reload_begins_anew() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            during(&site, StoreMethod::Load, session.reload(), || {
                session.clear();
                session.set("b", 2).unwrap();
            })
            .await?;
            assert_eq!(session.keys(), ["b"]);
            assert_eq!(session.len(), 1);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(browser.read("b").await, Some(2));
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_remember_during_the_save_of_a_login_leaves_what_was_saved() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.visit(async |session| session.log_in("alice")).await;
    browser
        .visit(async |session| {
            session.log_in("bob");
            session.update("cart", |cart: &mut Vec<u32>| cart.push(7))?;
            during(&site, StoreMethod::Create, session.save(), || {
                session.remember(Duration::from_secs(30 * 24 * 60 * 60));
            })
            .await?;
            assert_eq!(session.get("cart")?, Some(vec![7]));
            Ok::<_, Error>(())
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert_eq!(session.get("cart").unwrap(), Some(vec![7]));
        })
        .await;
}

/// It would wait for a lock for ever.
#[tokio::test]
async fn a_closure_may_use_its_session_when_it_runs_again() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let add_one = |session: &WizSession| {
        let same = session.clone();
        let add = move |b: &mut u32| *b += u32::from(same.contains_key("a"));
        session.update("b", add).unwrap();
    };
    browser
        .visit(async |session| {
            add_one(&session);
            tab.write("a", 2).await;
            session.reload().await?;
            assert_eq!(session.get("b")?, Some(1));
            during(&site, StoreMethod::Replace, session.save(), || {
                add_one(&session);
            })
            .await?;
            assert_eq!(session.get("b")?, Some(2));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_delete_of_what_is_not_there_during_a_save_deletes_nothing_of_another_request() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.set("a", 2)?;
            tab.write("b", 1).await;
            during(&site, StoreMethod::Replace, session.save(), || {
                assert!(!session.delete("b"));
            })
            .await
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(1));
}

#[tokio::test]
async fn a_login_during_a_save_that_finds_the_session_ended_keeps_what_is_set_with_it() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            tab.visit(async |session| session.clear()).await;
            let saved = during(&site, StoreMethod::Replace, session.save(), || {
                session.log_in("bob");
                session.set("needs_code", true).unwrap();
            });
            assert!(saved.await.unwrap_err().is_gone());
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert_eq!(session.keys(), ["needs_code"]);
        })
        .await;
}

#[tokio::test]
async fn the_last_wish_to_be_remembered_holds() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.remember(Duration::from_secs(30 * 24 * 60 * 60));
            during(&site, StoreMethod::Replace, session.save(), || {
                session.remember(Duration::ZERO);
            })
            .await
        })
        .await;
    site.pass(40);
    assert_eq!(browser.read::<u32>("a").await, None, "its time is over");
}
