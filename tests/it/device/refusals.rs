//! What no browser sends.

use http::{HeaderValue, Method, StatusCode, header::COOKIE};
use serde_json::{Value, json};
use wiz_session::DeviceBinding;

use super::{
    REFRESH, REGISTER, Shop, request,
    signer::{Signer, to_refresh, to_register},
};

/// Nothing of it reaches the store, and nothing comes of it.
async fn refuse(shop: &Shop, request: axum::extract::Request, status: u16, what: &str) {
    shop.site.store.take_calls();
    let response = shop.ask(request).await;
    assert_eq!(response.status().as_u16(), status, "{what}");
    assert_eq!(shop.site.store.take_calls(), [], "{what}");
    assert!(!response.headers().contains_key("set-cookie"), "{what}");
    assert_eq!(response.headers()["cache-control"], "no-store", "{what}");
}

fn header(signer: &Signer) -> Value {
    json!({ "alg": "ES256", "typ": "dbsc+jwt", "jwk": signer.jwk() })
}

#[tokio::test]
async fn a_registration_that_no_browser_sends_costs_no_store_call() {
    let shop = Shop::new(DeviceBinding::offer());
    let (login, other) = (shop.login().await, shop.login().await);
    let (signer, thief) = (Signer::new(), Signer::new());
    let payload = json!({ "jti": login.challenge });
    let with = |name: &str, value: Value| {
        let mut header = header(&signer);
        header[name] = value;
        signer.sign(&header, &payload)
    };
    let good = signer.registration(&login.challenge);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let off_curve =
        json!({ "kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43) });
    let long = json!({ "jti": login.challenge, "more": "a".repeat(4096) });
    let table = [
        (400, String::new(), "nothing"),
        (400, "a.b".to_owned(), "two segments"),
        (400, format!("{good}.a"), "four segments"),
        (400, format!("{signed}.{}", "A".repeat(86)), "no signature"),
        (400, format!("{signed}."), "an empty signature"),
        (
            400,
            thief.sign(&header(&signer), &payload),
            "another key's signature",
        ),
        (400, with("alg", json!("none")), "no algorithm"),
        (
            400,
            with("alg", json!("HS256")),
            "an algorithm with a shared key",
        ),
        (
            400,
            with("alg", json!("RS256")),
            "an algorithm that is not the key's",
        ),
        (400, with("typ", json!("JWT")), "another kind of token"),
        (400, with("crit", json!(["exp"])), "an extension"),
        (400, with("jwk", Value::Null), "no key"),
        (400, with("jwk", off_curve), "a key that is none"),
        (
            400,
            with("jwk", json!({ "kty": "oct", "k": "AA" })),
            "a shared key",
        ),
        (400, signer.sign(&header(&signer), &long), "more than 4 KiB"),
        (
            400,
            signer.sign(&header(&signer), &json!({})),
            "no challenge",
        ),
        (403, signer.registration("made-up"), "a made-up challenge"),
        (
            403,
            signer.registration(&other.challenge),
            "another session's challenge",
        ),
    ];
    for (status, jws, what) in table {
        refuse(&shop, to_register(&login.cookies, &jws), status, what).await;
    }
    let nobody = HeaderValue::from_static("__Host-sid=forged");
    refuse(&shop, to_register(&nobody, &good), 403, "a forged cookie").await;
    shop.site.pass(21);
    refuse(
        &shop,
        to_register(&login.cookies, &good),
        403,
        "a stale challenge",
    )
    .await;
}

#[tokio::test]
async fn another_origin_costs_no_store_call() {
    let shop = Shop::new(DeviceBinding::offer());
    let bound = shop.bound().await;
    let (login, signer) = (shop.login().await, Signer::new());
    let from = |site: Option<&'static str>, origin: Option<&'static str>, registers: bool| {
        let mut request = match registers {
            true => login.registration(&signer),
            false => bound.refresh(),
        };
        let headers = request.headers_mut();
        headers.remove("sec-fetch-site");
        headers.insert("host", HeaderValue::from_static("shop.example"));
        let mut set = |name: &'static str, value: Option<&'static str>| {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        };
        set("sec-fetch-site", site);
        set("origin", origin);
        request
    };
    let own = Some("https://shop.example");
    for (site, origin) in [
        (Some("cross-site"), own),
        (Some("same-site"), own),
        (Some("none"), own),
        (None, Some("https://evil.example")),
        (None, Some("https://shop.example.evil.example")),
        (None, Some("null")),
    ] {
        for registers in [true, false] {
            let what = format!("{site:?} {origin:?}");
            refuse(&shop, from(site, origin, registers), 403, &what).await;
        }
    }
    for registers in [true, false] {
        for origin in [own, None] {
            let response = shop.ask(from(None, origin, registers)).await;
            assert_eq!(response.status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_refresh_that_no_browser_sends_costs_no_store_call() {
    let shop = Shop::new(DeviceBinding::offer());
    let bound = shop.bound().await;
    let (cookies, signer) = (&bound.cookies, &bound.signer);
    let refresh = |jws: &str| to_refresh(cookies, &bound.id, jws);
    let payload = json!({ "jti": bound.challenge });
    for (status, jws, what) in [
        (400, String::new(), "nothing"),
        (400, "a.b.c".to_owned(), "no JSON"),
        (
            400,
            signer.sign(&json!({ "alg": "none", "typ": "dbsc+jwt" }), &payload),
            "no algorithm",
        ),
        (403, signer.refresh("made-up"), "a made-up challenge"),
    ] {
        refuse(&shop, refresh(&jws), status, what).await;
    }
    let other = shop.bound().await;
    let jws = signer.refresh(&bound.challenge);
    refuse(
        &shop,
        to_refresh(cookies, &other.id, &jws),
        403,
        "another's name",
    )
    .await;
    refuse(&shop, to_refresh(cookies, "a", &jws), 400, "no name").await;
    let mut without = bound.refresh();
    without.headers_mut().remove("sec-secure-session-id");
    refuse(&shop, without, 400, "no name at all").await;
    let mut without = bound.refresh();
    without.headers_mut().remove("secure-session-response");
    refuse(&shop, without, 403, "no answer to a challenge").await;
}

#[tokio::test]
async fn another_key_does_not_refresh() {
    let shop = Shop::new(DeviceBinding::offer());
    let bound = shop.bound().await;
    let jws = Signer::new().refresh(&bound.challenge);
    let response = shop.ask(to_refresh(&bound.cookies, &bound.id, &jws)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(!response.headers().contains_key("set-cookie"));
    // Nor does the algorithm that the header names count, but the key's.
    let header = json!({ "alg": "RS256", "typ": "dbsc+jwt" });
    let jws = bound
        .signer
        .sign(&header, &json!({ "jti": bound.challenge }));
    let response = shop.ask(to_refresh(&bound.cookies, &bound.id, &jws)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_session_is_bound_once() {
    let shop = Shop::new(DeviceBinding::offer());
    let (login, signer) = (shop.login().await, Signer::new());
    for _ in 0..2 {
        let response = shop.ask(login.registration(&signer)).await;
        assert_eq!(
            response.status(),
            StatusCode::OK,
            "also when it is sent again"
        );
    }
    let response = shop.ask(login.registration(&Signer::new())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(!response.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let shop = Shop::new(DeviceBinding::offer());
    for path in [REGISTER, REFRESH] {
        let mut request = request(path);
        *request.method_mut() = Method::GET;
        let response = shop.ask(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "POST");
    }
    let response = shop.ask(request(&format!("{REGISTER}/more"))).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cookie_that_is_made_up_does_not_vouch_for_a_session() {
    let shop = Shop::new(DeviceBinding::offer());
    let bound = shop.bound().await;
    shop.site.pass(1);
    let line = bound.cookies.to_str().unwrap();
    let (session, good) = line.split_once("; __Host-sid-bound=").unwrap();
    let forged = "A".repeat(good.len());
    let mut altered = good.to_owned();
    altered.replace_range(10..11, if &good[10..11] == "A" { "B" } else { "A" });
    for (value, works) in [
        (good, true),
        (&forged, false),
        (&altered, false),
        ("", false),
    ] {
        let line = format!("{session}; __Host-sid-bound={value}");
        let seen = shop.see_with(&line.parse().unwrap()).await;
        assert_eq!(seen["user"].is_string(), works, "{value}");
    }
    // The good one counts, whatever else there is.
    let line = format!("__Host-sid-bound={forged}; {line}");
    let mut request = axum::extract::Request::default();
    request.headers_mut().insert(COOKIE, line.parse().unwrap());
    assert_eq!(
        super::json_of(shop.ask(request).await).await["user"],
        json!("alice")
    );
}
