//! Cookies that no browser of ours would send.

use http::StatusCode;
use wiz_session::{CookieOptions, WizSession};

use crate::support::{Browser, Fault, Log, Site, StoreMethod, key};

const NAME: &str = "__Host-sid";

fn line(value: &str) -> Vec<u8> {
    format!("{NAME}={value}").into_bytes()
}

/// Sends `Cookie` lines and gives the `a` that the session holds.
async fn a(site: &Site, lines: &[&[u8]]) -> Option<u32> {
    let mut value = None;
    let reply = site
        .visit_with(lines, async |session| value = session.get("a").unwrap())
        .await;
    reply.is_ok_without_cookie();
    value
}

/// A value that verifies, of a session that this site never had.
async fn unknown() -> String {
    Site::new().visitor().await.value().to_owned()
}

#[tokio::test]
async fn nothing_is_stored_under_an_id_that_the_store_does_not_know() {
    let site = Site::new();
    let offered = unknown().await;
    let mut browser = site.browser();
    browser.keep(NAME, &offered);
    browser.read::<u32>("a").await;
    assert_eq!(site.store.take_calls(), [StoreMethod::Load]);

    let reply = browser.write("a", 2).await;
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Create]
    );
    assert_ne!(reply.cookie().value(), offered);
    assert_eq!(browser.read("a").await, Some(2));
    assert_eq!(a(&site, &[&line(&offered)]).await, None);
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_bad_mac_is_not_looked_up() {
    let site = Site::new();
    let value = site.visitor().await.value().to_owned();
    let (mac, id) = value.split_at(43);
    let swapped = format!("{}{id}", unknown().await.split_at(43).0);
    let shouted = format!("{mac}{}", id.to_uppercase());
    let reversed: String = value.chars().rev().collect();
    for forged in [
        swapped,
        shouted,
        reversed,
        format!("{value}0"),
        value[1..].to_owned(),
    ] {
        assert_eq!(a(&site, &[&line(&forged)]).await, None, "{forged}");
    }
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn what_was_not_signed_for_this_cookie_by_these_keys_is_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let value = browser.value().to_owned();
    let handle = browser.handle().await.unwrap().to_string();
    site.store.take_calls();

    let (_, id) = value.split_at(43);
    assert_eq!(a(&site, &[&line(id)]).await, None, "the id, unsigned");
    assert_eq!(
        a(&site, &[&line(&handle)]).await,
        None,
        "what the store knows"
    );

    let renamed = site.relaunched(key(1), |builder| {
        builder.cookie(CookieOptions::new("__Host-other"))
    });
    let other = format!("__Host-other={value}").into_bytes();
    assert_eq!(
        a(&renamed, &[&other]).await,
        None,
        "signed for another name"
    );

    let rekeyed = site.relaunched(key(2), |builder| builder.previous_keys([key(3)]));
    assert_eq!(
        a(&rekeyed, &[&line(&value)]).await,
        None,
        "by a dropped key"
    );
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn a_previous_key_is_taken_and_the_cookie_signed_anew() {
    let old = Site::new();
    let browser = old.visitor().await;
    let rotated = old.relaunched(key(2), |builder| builder.previous_keys([key(3), key(1)]));
    let new = old.relaunched(key(2), |builder| builder);

    let mut browser = browser.at(&rotated);
    let stale = browser.clone();
    let reply = browser
        .visit(async |session| drop(session.get::<u32>("a")))
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_ne!(browser.value(), stale.value());
    assert_eq!(
        old.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load],
        "the id is the same, and still lives when its cookie is sent again"
    );

    browser.write("b", 2).await.is_ok_without_cookie();
    assert_eq!(browser.at(&new).read("a").await, Some(1));
    assert_eq!(stale.at(&new).read::<u32>("a").await, None);

    let reply = stale
        .at(&rotated)
        .visit(async |session| session.clear())
        .await;
    assert!(
        reply.cookie().value().is_empty(),
        "a clear removes, no matter who signed"
    );
}

#[tokio::test]
async fn nonsense_is_an_anonymous_visitor() {
    let site = Site::new();
    let table: [&[u8]; 18] = [
        b"",
        b" ",
        b";",
        b"__Host-sid",
        b"__Host-sid=",
        b"__Host-sid= ",
        b"__Host-sid=\"\"",
        b"__Host-sid=\"",
        b"__Host-sid=a",
        b"__Host-sid=/",
        b"__Host-sid=\\",
        b"__Host-sid=../../etc/passwd",
        b"__Host-sid=%00",
        b"__Host-sid=%0d%0aSet-Cookie:%20a=b",
        "__Host-sid=🍪".as_bytes(),
        b"__Host-sid=\xff\xfe\xff",
        b"=",
        b"\xff",
    ];
    for line in table {
        assert_eq!(a(&site, &[line]).await, None, "{line:?}");
    }
    assert_eq!(site.store.take_calls(), []);

    for line in table {
        let reply = site
            .visit_with(&[line], async |session| session.set("a", 1))
            .await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.cookie().name(), NAME, "a write is not hindered");
    }
}

#[tokio::test]
async fn a_huge_value_is_an_anonymous_visitor_and_not_logged() {
    let log = Log::capture();
    let site = Site::new();
    let valid = unknown().await;
    for kilobytes in [4, 16, 60] {
        let huge = "leak".repeat(kilobytes * 256);
        assert_eq!(a(&site, &[&line(&huge)]).await, None);
        assert_eq!(a(&site, &[&line(&format!("{valid}{huge}"))]).await, None);
    }
    assert_eq!(site.store.take_calls(), []);
    assert_eq!(log.count("bad MAC"), 6);
    assert_eq!(log.count("leak"), 0);
}

#[tokio::test]
async fn quotes_are_no_part_of_the_value() {
    let site = Site::new();
    let browser = site.visitor().await;
    assert_eq!(
        a(&site, &[&line(&format!("\"{}\"", browser.value()))]).await,
        Some(1)
    );
}

#[tokio::test]
async fn of_several_cookies_the_valid_one_counts() {
    let site = Site::new();
    let value = site.visitor().await.value().to_owned();
    let unknown = unknown().await;
    let join = |values: &[&str]| {
        let pairs: Vec<String> = values
            .iter()
            .map(|value| format!("{NAME}={value}"))
            .collect();
        pairs.join("; ").into_bytes()
    };
    for invalid in ["", "forged", &unknown] {
        assert_eq!(
            a(&site, &[&join(&[invalid, &value])]).await,
            Some(1),
            "{invalid}"
        );
        assert_eq!(
            a(&site, &[&join(&[&value, invalid])]).await,
            Some(1),
            "{invalid}"
        );
    }
    site.store.take_calls();
    assert_eq!(a(&site, &[&join(&[value.as_str(); 100])]).await, Some(1));
    assert_eq!(a(&site, &[&join(&["forged"; 100])]).await, None);
    assert_eq!(a(&site, &[&join(&[unknown.as_str(); 100])]).await, None);
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load],
        "one a session"
    );
}

#[tokio::test]
async fn a_hundred_signed_cookies_are_three_lookups() {
    let site = Site::new();
    let mut values = Vec::new();
    for _ in 0..100 {
        values.push(format!("{NAME}={}", unknown().await));
    }
    assert_eq!(a(&site, &[values.join("; ").as_bytes()]).await, None);
    assert_eq!(site.store.take_calls(), [StoreMethod::Load; 3]);
}

/// Eight forged cookies hide the real one, seven do not; of another length there may be as many as the header holds.
#[tokio::test]
async fn eight_signatures_are_checked() {
    let site = Site::new();
    let value = site.visitor().await.value().to_owned();
    let line = |forged: &str, times: usize| {
        let forged = format!("{NAME}={forged}; ").repeat(times);
        format!("{forged}{NAME}={value}").into_bytes()
    };
    let forged = "A".repeat(value.len());
    assert_eq!(a(&site, &[&line(&forged, 7)]).await, Some(1));
    site.store.take_calls();
    for times in [8, 60_000 / (NAME.len() + forged.len() + 3)] {
        assert_eq!(a(&site, &[&line(&forged, times)]).await, None);
    }
    assert_eq!(site.store.take_calls(), []);
    assert_eq!(a(&site, &[&line("forged", 3_000)]).await, Some(1));
}

#[tokio::test]
async fn several_cookie_headers_are_one() {
    let site = Site::new();
    let browser = site.visitor().await;
    let valid = line(browser.value());
    assert_eq!(a(&site, &[b"a=1", &valid, b"b=2"]).await, Some(1));
    assert_eq!(a(&site, &[b"__Host-sid=forged", &valid]).await, Some(1));
    assert_eq!(a(&site, &[&valid, b"__Host-sid=forged"]).await, Some(1));
}

#[tokio::test]
async fn the_real_cookie_is_found_among_strange_ones() {
    let site = Site::new();
    let value = site.visitor().await.value().to_owned();
    let valid = format!("{NAME}={value}");
    let table = [
        format!("__host-sid={value}x; {valid}"),
        format!("x__Host-sid=1; __Host-sid2=2; __Host-si=3; __Host-=4; {valid}"),
        format!("$Version=1; {valid}; $Path=/"),
        format!(";; ;{valid};;"),
        format!("  {NAME}  =  {value}  ;"),
        format!("a={valid}; {valid}"),
        format!("a;b;{valid};c"),
        format!("a=\"x;{valid}"),
    ];
    for line in table {
        assert_eq!(a(&site, &[line.as_bytes()]).await, Some(1), "{line}");
    }
    let foreign = [
        b"ad=\xff\xfe\x80; ".as_slice(),
        valid.as_bytes(),
        b"; b=\xff",
    ]
    .concat();
    assert_eq!(a(&site, &[&foreign]).await, Some(1));

    site.store.take_calls();
    let near = format!("__host-sid={value}; {NAME}2={value}; x{NAME}={value}");
    assert_eq!(a(&site, &[near.as_bytes()]).await, None);
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_503_and_stays() {
    let log = Log::capture();
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.fault(StoreMethod::Load, Fault::Corrupt);
    for _ in 0..2 {
        let reply = browser.write("a", 2).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            (reply.body.as_str(), reply.cookies()),
            ("Service Unavailable", vec![])
        );
    }
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load]
    );
    assert_eq!(log.count("session not loaded"), 2);
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
}

/// A forged cookie costs no I/O, whatever the handler does.
#[tokio::test]
async fn a_forged_cookie_is_an_anonymous_visitor() {
    let site = Site::new();
    let visit = async |handler: fn(&WizSession)| {
        let mut browser: Browser = site.browser();
        browser.keep(NAME, "forged");
        browser.visit(async |session| handler(&session)).await
    };
    visit(|session| assert!(session.is_new()))
        .await
        .is_ok_without_cookie();
    visit(WizSession::regenerate).await.is_ok_without_cookie();
    let removal = visit(WizSession::clear).await.cookie();
    assert!(
        removal.value().is_empty(),
        "the client sent one, and it is removed"
    );
    assert_eq!(site.store.take_calls(), []);
}

/// A clear ends what the client could send next: its session, and the two after it.
#[tokio::test]
async fn a_clear_of_a_hundred_cookies_ends_three_sessions() {
    let site = Site::new();
    let mut values = Vec::new();
    for _ in 0..100 {
        values.push(format!("{NAME}={}", site.visitor().await.value()));
    }
    let clear = async |session: WizSession| session.clear();
    let all = values.join("; ").into_bytes();
    site.visit_with(&[&all], clear).await;
    assert_eq!(site.sessions().await, 97);
    for (n, value) in values.iter().enumerate().take(5) {
        let left = a(&site, &[value.as_bytes()]).await;
        assert_eq!(left.is_some(), n >= 3, "the cookie of place {n}");
    }
}
