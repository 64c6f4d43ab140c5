//! A `save` that failed or was dropped, and then another.

use std::pin::pin;

use crate::support::{Fault, Site, StoreMethod};

#[tokio::test]
async fn a_save_that_fails_loses_nothing_and_can_be_tried_again() {
    let site = Site::new();
    for verb in [StoreMethod::Create, StoreMethod::Replace] {
        let mut browser = site.visitor().await;
        browser
            .visit(async |session| {
                session.update("a", |a: &mut u32| *a += 1)?;
                if verb == StoreMethod::Create {
                    session.regenerate();
                }
                site.store.fault(verb, Fault::Fail);
                assert!(session.save().await.unwrap_err().is_store());
                assert_eq!(session.get("a")?, Some(2));
                site.store.heal();
                session.save().await
            })
            .await;
        assert_eq!(browser.read("a").await, Some(2), "{verb:?}");
    }
}

#[tokio::test]
async fn a_save_that_is_dropped_midway_leaves_the_change_to_the_next_commit() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 1)?;
            let gate = site.store.pause(StoreMethod::Replace);
            {
                let mut save = pin!(session.save());
                tokio::select! {
                    _ = &mut save => panic!("it did not wait"),
                    () = gate.reached() => {}
                }
            }
            site.store.heal();
            session.set("b", 2)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(2), Some(2))
    );
}

#[tokio::test]
async fn a_save_after_clear_that_fails_can_be_tried_again() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.clear();
            session.set("b", 2)?;
            site.store.fault(StoreMethod::Create, Fault::Fail);
            assert!(session.save().await.unwrap_err().is_store());
            site.store.heal();
            session.save().await
        })
        .await;
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_save_after_clear_that_is_dropped_midway_is_done_by_the_commit() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(async |session| {
        session.clear();
        session.set("b", 2).unwrap();
        let gate = site.store.pause(StoreMethod::Create);
        {
            let mut save = pin!(session.save());
            tokio::select! { _ = &mut save => panic!("it did not wait"), () = gate.reached() => {} }
        }
        site.store.heal();
    }).await;
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn a_login_that_is_done_again_keeps_its_alias() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.alias("sid", "1").await?;
            site.store.fault(StoreMethod::Create, Fault::DoneThenFail);
            site.store.fault(StoreMethod::Load, Fault::Fail);
            assert!(session.save().await.is_err());
            site.store.heal();
            site.pass(1);
            session.log_in("alice");
            session.alias("sid", "1").await?;
            session.save().await
        })
        .await
        .is_ok();
    let sessions = site.layer.sessions();
    assert_eq!(sessions.revoke_alias("sid", "1").await.unwrap(), 1);
}
