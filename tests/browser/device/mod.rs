//! Device-bound sessions in a browser that has them.

mod shop;
#[path = "../../../examples/server/tls.rs"]
mod tls;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use wiz_session::{Clock, DeviceBinding};

use self::shop::{REFRESH, REGISTER, Shop, context, cookies_of, post_to, see_in};
use crate::{browser::Browser, certificate::Certificate, server};

fn seconds(seconds: u64) -> DeviceBinding {
    DeviceBinding::offer().cookie_lifetime(Duration::from_secs(seconds))
}

fn is_alice(seen: &Value, why: &impl std::fmt::Debug) {
    assert_eq!(
        (&seen["user"], &seen["bound"]),
        (&json!("alice"), &json!(true)),
        "{seen} {why:#?}"
    );
}

#[tokio::test]
async fn a_login_by_form_and_one_by_fetch_are_bound_while_the_next_page_writes() {
    let shop = Shop::open(seconds(600)).await;
    let browser = shop.browser().await;
    browser.script("document.forms[0].submit()").await;
    // The page after the login is there, or not yet; it writes while the browser registers.
    let write = "Promise.all([0, 10, 20, 40].map((ms) => fetch(`/set?ms=${ms}`, { method: 'POST' })))\
                 .then((all) => all.every((r) => r.ok))";
    browser.until("document.readyState === 'complete'").await;
    let _ = browser.resolve(write).await;
    shop.until(|seen| seen.path == REGISTER && seen.status == 200)
        .await;
    shop.until_bound(&browser).await;
    is_alice(&see_in(&browser).await, &shop.seen());
    assert!(
        shop.seen()
            .iter()
            .any(|seen| seen.path == "/login" && seen.status == 303)
    );

    let other = shop.alice().await;
    is_alice(&see_in(&other).await, &shop.seen());
}

#[tokio::test]
async fn it_goes_on_by_refreshes() {
    let shop = Shop::open(seconds(2)).await;
    let browser = shop.alice().await;
    for _ in 0..3 {
        sleep(Duration::from_millis(2_300)).await;
        is_alice(&see_in(&browser).await, &shop.seen());
    }
    assert!(shop.count(REFRESH, 200) >= 3, "{:#?}", shop.seen());
    // And before the cookie ends, as soon as a request shows that the page is in use.
    shop.forget();
    is_alice(&see_in(&browser).await, &shop.seen());
    shop.until(|seen| seen.path == REFRESH && seen.status == 200)
        .await;
}

#[tokio::test]
async fn ten_requests_at_once_wait_for_one_refresh() {
    let shop = Shop::open(seconds(600)).await;
    let browser = shop.alice().await;
    post_to(&browser, "/drop", "").await;
    shop.forget();
    let all = "Promise.all([...Array(10)].map(() => fetch('/see').then((r) => r.json())))";
    let all = browser.resolve(all).await;
    let all = all.as_array().expect("ten answers");
    assert_eq!(all.len(), 10);
    for seen in all {
        is_alice(seen, &shop.seen());
    }
    assert_eq!(shop.count(REFRESH, 200), 1, "{:#?}", shop.seen());
    let own = |seen: &&shop::Seen| seen.path == "/see";
    assert!(shop.seen().iter().filter(own).all(|seen| seen.is_bound));
}

#[tokio::test]
async fn a_websocket_waits_for_a_refresh_too() {
    let shop = Shop::open(seconds(600)).await;
    let browser = shop.alice().await;
    post_to(&browser, "/drop", "").await;
    shop.forget();
    let socket = "new Promise((done) => { new WebSocket('/ws').onmessage = (m) => done(JSON.parse(m.data)); })";
    is_alice(&browser.resolve(socket).await, &shop.seen());
    let paths: Vec<String> = shop.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, [REFRESH, "/ws"]);
}

#[tokio::test]
async fn a_stale_challenge_is_signed_anew() {
    let clock = Clock::manual();
    let shop = Shop::open_at(seconds(600), clock.clone()).await;
    let browser = shop.alice().await;
    post_to(&browser, "/drop", "").await;
    clock.advance(Duration::from_secs(21 * 60));
    shop.forget();
    is_alice(&see_in(&browser).await, &shop.seen());
    let seen: Vec<_> = shop
        .seen()
        .into_iter()
        .map(|seen| (seen.path, seen.status))
        .collect();
    let expected = [(REFRESH, 403), (REFRESH, 200), ("/see", 200)];
    assert_eq!(
        seen,
        expected.map(|(path, status)| (path.to_owned(), status))
    );
}

/// A browser would otherwise send it without a bound cookie, and its user would see a login page after each pause.
#[tokio::test]
async fn a_link_from_another_site_waits_for_a_refresh() {
    let shop = Shop::open(seconds(600)).await;
    let browser = shop.alice().await;
    post_to(&browser, "/drop", "").await;
    browser
        .script(&format!("location = '{}'", shop.other_url("/")))
        .await;
    browser.until("location.hostname === '127.0.0.1'").await;
    shop.forget();
    browser
        .script(&format!("location = '{}'", shop.url("/see")))
        .await;
    browser.until("location.pathname === '/see'").await;
    let seen: Value = serde_json::from_str(&browser.text("body").await).expect("JSON");
    is_alice(&seen, &shop.seen());
    // It carries no cookie of the session, being a `POST` that another site has caused.
    let refresh = &shop.seen()[0];
    assert_eq!(
        (&*refresh.path, refresh.status, refresh.has_session),
        (REFRESH, 200, false)
    );
}

#[tokio::test]
async fn a_logout_ends_it_and_the_next_login_is_bound_anew() {
    let shop = Shop::open(seconds(2)).await;
    let browser = shop.alice().await;
    post_to(&browser, "/logout", "").await;
    assert!(browser.cookie("__Host-sid").await.is_none());
    assert!(browser.cookie("__Host-sid-bound").await.is_none());
    assert_eq!(see_in(&browser).await["user"], json!(null));
    sleep(Duration::from_millis(2_300)).await;
    shop.forget();
    assert_eq!(see_in(&browser).await["user"], json!(null));
    assert_eq!(
        shop.count(REFRESH, 200) + shop.count(REFRESH, 403),
        0,
        "{:#?}",
        shop.seen()
    );

    post_to(&browser, "/login", "user=alice").await;
    shop.until(|seen| seen.path == REGISTER && seen.status == 200)
        .await;
    sleep(Duration::from_millis(2_300)).await;
    is_alice(&see_in(&browser).await, &shop.seen());
}

#[tokio::test]
async fn a_login_of_the_same_user_keeps_it_and_another_users_begins_anew() {
    let shop = Shop::open(seconds(2)).await;
    let browser = shop.alice().await;
    post_to(&browser, "/login", "user=alice").await;
    sleep(Duration::from_millis(2_300)).await;
    is_alice(&see_in(&browser).await, &shop.seen());
    assert_eq!(shop.count(REGISTER, 200), 0);

    post_to(&browser, "/login", "user=bob").await;
    shop.until(|seen| seen.path == REGISTER && seen.status == 200)
        .await;
    for _ in 0..3 {
        sleep(Duration::from_millis(2_300)).await;
        let seen = see_in(&browser).await;
        assert_eq!(
            (&seen["user"], &seen["bound"]),
            (&json!("bob"), &json!(true)),
            "{:#?}",
            shop.seen()
        );
    }
}

#[tokio::test]
async fn a_new_id_and_a_refresh_at_the_same_moment_a_hundred_times_lose_nothing() {
    let shop = Shop::open(seconds(600)).await;
    let browser = shop.alice().await;
    for round in 0..100 {
        let (wait, pause) = (round % 10 * 3, round % 7 * 4);
        let race = format!(
            "(async () => {{
               const moved = fetch('/regenerate?ms={wait}', {{ method: 'POST' }});
               await fetch('/drop', {{ method: 'POST' }});
               await new Promise((done) => setTimeout(done, {pause}));
               const seen = await fetch('/see').then((r) => r.json());
               await moved;
               return seen;
             }})()"
        );
        // It came with the old id, or with the new one.
        let during = browser.resolve(&race).await;
        assert_eq!(during["unbound"], json!(false), "{:#?}", shop.seen());
        is_alice(&see_in(&browser).await, &shop.seen());
    }
    let (again, done) = (shop.count(REFRESH, 403), shop.count(REFRESH, 200));
    println!("{done} refreshes, {again} of them challenged again");
    assert!(done >= 100, "{done}");
    // And it is still refreshed afterwards.
    post_to(&browser, "/drop", "").await;
    is_alice(&see_in(&browser).await, &shop.seen());
}

#[tokio::test]
async fn cookies_that_are_copied_out_are_dead_with_the_bound_one() {
    let shop = Shop::open(seconds(3)).await;
    let browser = shop.alice().await;
    let pair = cookies_of(&browser, &["__Host-sid", "__Host-sid-bound"]).await;
    let alone = cookies_of(&browser, &["__Host-sid"]).await;
    is_alice(&shop.see_with(&pair).await, &shop.seen());
    sleep(Duration::from_millis(3_300)).await;
    for stolen in [&pair, &alone] {
        let seen = shop.see_with(stolen).await;
        assert_eq!(
            (&seen["user"], &seen["unbound"]),
            (&json!(null), &json!(true))
        );
    }
    // Their owner is served as ever, and that does not revive the copies.
    is_alice(&see_in(&browser).await, &shop.seen());
    for stolen in [&pair, &alone] {
        assert_eq!(shop.see_with(stolen).await["user"], json!(null));
    }
}

#[tokio::test]
async fn the_example_shows_that_a_login_is_bound() {
    let certificate = Certificate::new();
    let server = server::Server::spawn(certificate.show(&mut server::command()));
    let root = server.url("/");
    let browser = Browser::in_context(context(&certificate, &root), &root).await;
    browser.log_in_as_alice().await;
    while browser.cookie("__Host-sid-bound").await.is_none() {
        sleep(Duration::from_millis(50)).await;
    }
    browser.click("#reload").await;
    browser.until_text("#logins .bound", "기기에 묶임").await;
}
