//! Whoever gets hold of the table gets no session.

use axum::Router;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use wiz_session::Clock;

use crate::{beside, client::Client, fresh, servers, shop};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dump_opens_no_session() {
    let fresh = fresh::postgres().await;
    let app = shop::app(fresh.store.clone(), Clock::system());
    let (mut alice, mut bob) = (Client::default(), Client::default());
    alice.visit(&app, "/push/7").await;
    alice.visit(&app, "/log_in/alice").await;
    bob.visit(&app, "/log_in/bob").await;
    bob.visit(&app, "/clear").await;

    let select = format!("SELECT s::text, handle FROM {} AS s", fresh.table);
    let client = beside::client(&servers::postgres_url()).await;
    let rows = client.query(&select, &[]).await.expect("a dump");
    assert_eq!(
        rows.len(),
        2,
        "alice's session and the mark of her old id; nothing of bob, who has left"
    );
    let dump: String = rows.iter().map(|row| row.get::<_, String>(0)).collect();
    assert!(!dump.contains("bob"), "{dump}");

    let cookie = alice.cookie.clone().expect("a cookie");
    let value = cookie.strip_prefix("sid=").expect("our name");
    let (mac, id) = value.split_at(43);
    assert!(
        !dump.contains(mac) && !dump.contains(id),
        "neither the cookie nor the id is in the dump"
    );
    assert_eq!(
        alice.peek(&app, "/read").await.body,
        "[7]",
        "with her cookie it is her session"
    );
    for row in &rows {
        no_cookie_is_made_of(&app, &row.get::<_, String>(1), mac).await;
    }
}

/// With what a thief might try: the handle as the id, unsigned, or with the signature of another.
async fn no_cookie_is_made_of(app: &Router, handle: &str, mac: &str) {
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    for forged in [
        handle.to_owned(),
        format!("{mac}{handle}"),
        format!("{zeros}{handle}"),
        format!("{handle}{handle}{handle}"),
    ] {
        let thief = Client {
            cookie: Some(format!("sid={forged}")),
        };
        assert_eq!(thief.peek(app, "/read").await.body, "null", "{forged}");
    }
}
