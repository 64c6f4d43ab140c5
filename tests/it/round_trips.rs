//! What a request costs, in calls of the store.

use axum::extract::Request;
use http::header::COOKIE;
use tower::{Layer, ServiceExt};
use wiz_session::WizSession;

use crate::support::{Log, Site, StoreMethod, ignore};

/// Nothing at all is done for a request whose handler does not ask, whatever cookie comes with it.
#[tokio::test]
async fn an_untouched_request_looks_at_no_cookie_checks_no_signature_and_asks_no_store() {
    let log = Log::capture();
    let site = Site::new();
    let value = site.visitor().await.value().to_owned();
    site.pass(29);
    let events = log.text();
    let many = format!("__Host-sid={value}; {}", "__Host-sid=forged; ".repeat(100));
    for line in [
        format!("__Host-sid={value}"),
        "__Host-sid=forged".to_owned(),
        many,
    ] {
        let request = Request::builder()
            .header(COOKIE, line)
            .body("".into())
            .unwrap();
        let service = site.layer.layer(ignore(()));
        let response = service.oneshot(request).await.unwrap();
        assert!(
            response
                .headers()
                .keys()
                .all(|name| name == "content-length"),
            "{response:?}"
        );
    }
    assert_eq!(site.store.take_calls(), []);
    assert_eq!(log.text(), events, "a look at the forged ones would show");
}

#[tokio::test]
async fn each_kind_of_request_costs_its_number_of_calls() {
    use StoreMethod::{Create, Delete, Load, Replace, Touch};
    let read = |session: &WizSession| assert!(session.contains_key("a"));
    let write = |session: &WizSession| session.set("b", 2).unwrap();
    let update = |session: &WizSession| {
        session.update("n", |n: &mut u32| *n += 1).unwrap();
    };
    type Row<'a> = (&'a dyn Fn(&WizSession), u64, &'a [StoreMethod]);
    let table: [Row<'_>; 8] = [
        (&read, 0, &[Load]),
        (&read, 3, &[Load, Touch]),
        (&write, 0, &[Load, Replace]),
        (&write, 3, &[Load, Replace]),
        (&update, 0, &[Load, Replace]),
        (&WizSession::regenerate, 0, &[Load, Create, Replace]),
        (
            &|session| session.log_in("alice"),
            3,
            &[Load, Create, Replace],
        ),
        (&WizSession::clear, 3, &[Load, Delete]),
    ];
    for (index, (handler, minutes, calls)) in table.into_iter().enumerate() {
        let site = Site::new();
        let mut browser = site.visitor().await;
        site.pass(minutes);
        browser.visit(async |session| handler(&session)).await;
        assert_eq!(site.store.take_calls(), calls, "row {index}");
    }

    let site = Site::new();
    site.browser().visit(async |session| update(&session)).await;
    assert_eq!(site.store.take_calls(), [Create], "a new session");
}
