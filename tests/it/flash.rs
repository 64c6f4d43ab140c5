//! Messages for the next page.

use axum::response::Redirect;
use http::StatusCode;
use wiz_session::{Error, Flash, FlashLevel, WizSession};

use crate::support::{Browser, Site};

async fn take(browser: &mut Browser) -> Vec<(FlashLevel, String)> {
    let mut taken = Vec::new();
    let reply = browser
        .visit(async |session| session.take_flashes().map(|flashes| taken = flashes))
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    taken
        .iter()
        .map(|flash| (flash.level(), flash.message().to_owned()))
        .collect()
}

fn say(session: &WizSession, message: &str) -> Result<(), Error> {
    session.flash(FlashLevel::Success, message)
}

#[tokio::test]
async fn a_message_is_given_once_in_order_after_a_redirect() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .visit(async |session| {
            session.flash(FlashLevel::Success, "저장됨")?;
            session.flash(FlashLevel::Error, "but not all")?;
            Ok::<_, Error>(Redirect::to("/"))
        })
        .await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    let expected = [
        (FlashLevel::Success, "저장됨".to_owned()),
        (FlashLevel::Error, "but not all".to_owned()),
    ];
    assert_eq!(take(&mut browser).await, expected);
    assert_eq!(take(&mut browser).await, []);
}

#[tokio::test]
async fn a_page_that_fails_takes_no_message_and_leaves_none() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(async |session| say(&session, "one")).await;
    browser
        .visit(async |session| {
            assert_eq!(session.take_flashes().unwrap().len(), 1);
            say(&session, "two").unwrap();
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert_eq!(
        take(&mut browser).await,
        [(FlashLevel::Success, "one".to_owned())]
    );
}

#[tokio::test]
async fn a_message_left_while_others_are_taken_is_kept_be_it_the_same() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(async |session| say(&session, "saved")).await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            assert_eq!(session.take_flashes()?.len(), 1);
            tab.visit(async |session| say(&session, "saved")).await;
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(
        take(&mut browser).await,
        [(FlashLevel::Success, "saved".to_owned())]
    );
}

#[tokio::test]
async fn in_a_transaction_a_message_is_given_to_one_request_only() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.visit(async |session| say(&session, "saved")).await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            let mut taken = tab_takes(&mut tab).await;
            taken += session.transaction(|tx| tx.take_flashes()).await?.len();
            assert_eq!(taken, 1);
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
}

async fn tab_takes(tab: &mut Browser) -> usize {
    let mut taken = 0;
    tab.visit(async |session| {
        let flashes = session.transaction(|tx| tx.take_flashes()).await;
        flashes.map(|flashes| taken = flashes.len())
    })
    .await;
    taken
}

#[tokio::test]
async fn messages_survive_a_login_and_end_with_clear() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            say(&session, "welcome")?;
            session.log_in("alice");
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(take(&mut browser).await.len(), 1);
    browser
        .visit(async |session| {
            say(&session, "dropped")?;
            session.clear();
            say(&session, "goodbye")
        })
        .await;
    assert_eq!(
        take(&mut browser).await,
        [(FlashLevel::Success, "goodbye".to_owned())]
    );
}

#[tokio::test]
async fn a_message_has_a_plain_json_form() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            say(&session, "Saved")?;
            let flash = &session.take_flashes()?[0];
            let json = serde_json::to_string(flash).unwrap();
            assert_eq!(json, r#"{"level":"success","message":"Saved"}"#);
            assert_eq!(&serde_json::from_str::<Flash>(&json).unwrap(), flash);
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn another_value_under_the_key_of_the_messages_is_an_error_and_stays() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.write("_flashes", "mine").await;
    browser
        .visit(async |session| {
            assert!(session.take_flashes().unwrap_err().is_decode());
            assert!(say(&session, "x").unwrap_err().is_decode());
        })
        .await;
    assert_eq!(browser.read("_flashes").await, Some("mine".to_owned()));
}

#[tokio::test]
async fn a_message_left_and_taken_in_one_request_leaves_nothing() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            session.flash(FlashLevel::Info, "hello")?;
            session.take_flashes().map(drop)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn taken_messages_leave_no_key() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| session.flash(FlashLevel::Info, "hello"))
        .await;
    browser
        .visit(async |session| session.take_flashes().map(drop))
        .await;
    browser
        .visit(async |session| assert_eq!(session.keys(), ["a"]))
        .await;
}
