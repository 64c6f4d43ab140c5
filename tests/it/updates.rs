//! `update`: what its closure may do, and what is refused.

use serde::{Deserialize, Serialize};
use wiz_session::{Error, Transaction, WizSession};

use crate::support::{Site, StoreMethod};

#[tokio::test]
async fn a_closure_may_use_the_session_it_changes() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            let same = session.clone();
            session
                .update("b", move |b: &mut u32| {
                    *b += same.get_or("a", 0).unwrap();
                })
                .map(drop)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(1));
}

#[tokio::test]
async fn an_update_sees_what_changed_while_its_closure_ran() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            let same = session.clone();
            let update = move |n: &mut u32| {
                if *n == 0 {
                    same.set("n", 10).unwrap();
                }
                *n += 1;
            };
            session.update("n", update).map(drop)
        })
        .await;
    assert_eq!(browser.read("n").await, Some(11));
}

#[tokio::test]
async fn an_update_that_changes_its_own_key_is_given_up() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            let same = session.clone();
            let updated = session.update("n", move |n: &mut u32| {
                same.update("n", |n: &mut u32| *n += 1).unwrap();
                *n += 1;
            });
            assert!(updated.unwrap_err().is_conflict());
        })
        .await;
}

#[tokio::test]
async fn an_update_to_what_json_has_no_number_for_is_refused_and_changes_nothing() {
    for no_number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let site = Site::new();
        let mut browser = site.browser();
        browser.write("price", 1.5).await;
        site.store.take_calls();
        browser
            .visit(async |session| {
                let break_it = move |price: &mut f64| *price = no_number;
                let error = session.update("price", break_it).unwrap_err();
                assert!(error.is_encode(), "{error}");
                let text = error.to_string();
                let names_all = text.contains("`price`") && text.contains("`f64`");
                assert!(names_all && text.contains("nothing was changed"), "{text}");
                assert_eq!(session.get("price")?, Some(1.5));

                let break_it = |tx: &mut Transaction<'_>| {
                    tx.update("price", |price: &mut f64| *price = no_number)
                };
                assert!(session.transaction(break_it).await.unwrap_err().is_encode());
                assert_eq!(session.get("price")?, Some(1.5));
                Ok::<_, Error>(())
            })
            .await
            .is_ok_without_cookie();
        assert_eq!(site.store.calls_of(StoreMethod::Replace), 0);
        assert_eq!(browser.read("price").await, Some(1.5));
    }
}

/// What it writes it cannot read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct OneWay {
    #[serde(rename(serialize = "written", deserialize = "read"))]
    n: u32,
}

#[tokio::test]
async fn an_update_of_a_type_that_does_not_read_what_it_writes_says_so() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            let updated = session.update("n", |one_way: &mut OneWay| one_way.n += 1);
            let error = updated.unwrap_err();
            assert!(error.is_encode(), "{error}");
            let text = error.to_string();
            assert!(text.contains("does not read as"), "{text}");
            assert!(text.contains("OneWay"), "{text}");
            let source = std::error::Error::source(&error).expect("why");
            assert!(source.to_string().contains("missing field `read`"));
            assert!(!session.contains_key("n"));
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn a_stored_null_that_is_read_as_a_number_says_how_to_read_it() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.write("coupon", None::<u32>).await;
    browser
        .visit(async |session| {
            let add_one = |coupon: &mut u32| *coupon += 1;
            for error in [
                session.get::<u32>("coupon").unwrap_err(),
                session.take::<u32>("coupon").unwrap_err(),
                session.update("coupon", add_one).unwrap_err(),
            ] {
                assert!(error.is_decode(), "{error}");
                let text = error.to_string();
                assert!(text.contains("`coupon`"), "{text}");
                assert!(text.contains("Option<u32>"), "{text}");
            }
            assert_eq!(session.get::<Option<u32>>("coupon")?, Some(None));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn an_update_that_is_refused_takes_back_what_its_closure_did_with_the_session() {
    type Deed = fn(&WizSession);
    let deeds: [Deed; 6] = [
        |session| session.set("a", 5).unwrap(),
        |session| session.set("trace", 1).unwrap(),
        |session| session.log_in("alice"),
        WizSession::regenerate,
        WizSession::clear,
        |session| {
            let traces = |traces: &mut Vec<u32>| traces.push(1);
            session.update("trace", traces).unwrap();
        },
    ];
    for deed in deeds {
        let site = Site::new();
        let mut browser = site.visitor().await;
        browser
            .visit(async |session| {
                session.set("b", 2)?;
                let same = session.clone();
                let refused = session.update("price", move |price: &mut f64| {
                    deed(&same);
                    *price = f64::NAN;
                });
                assert!(refused.unwrap_err().is_encode());
                assert_eq!(session.keys(), ["a", "b"]);
                assert_eq!((session.get("a")?, session.user()), (Some(1), None));
                assert!(!session.is_new());
                Ok::<_, Error>(())
            })
            .await
            .is_ok_without_cookie();
        assert_eq!(browser.read("b").await, Some(2), "what came before stays");
        assert_eq!(browser.read("a").await, Some(1));
    }
}

/// What was done meanwhile by another thread cannot be told from it any more.
#[tokio::test]
async fn an_update_that_is_refused_takes_back_nothing_that_others_have_done() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            let same = session.clone();
            let refused = session.update("price", move |price: &mut f64| {
                same.set("own", 1).unwrap();
                std::thread::scope(|scope| {
                    scope.spawn(|| same.set("others", 2).unwrap());
                });
                *price = f64::NAN;
            });
            assert!(refused.unwrap_err().is_encode());
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("others").await, Some(2));
    assert_eq!(browser.read::<f64>("price").await, None);
}

/// Adds one to `n`, by a closure whose own writes make its replay on what others stored begin anew each time.
fn never_rests(session: &WizSession) {
    let same = session.clone();
    let count = move |n: &mut u32| {
        same.update("runs", |runs: &mut u32| *runs += 1).unwrap();
        *n += 1;
    };
    session.update("n", count).unwrap();
}

#[tokio::test]
async fn what_is_stored_is_not_stored_again_though_a_later_update_never_comes_to_rest() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 1)?;
            tab.write("n", 10).await;
            let replace = site.store.pause(StoreMethod::Replace);
            let later = async {
                replace.reached().await;
                never_rests(&session);
                replace.open();
            };
            let (saved, ()) = tokio::join!(session.save(), later);
            assert!(saved.unwrap_err().is_conflict());
            session.set("n", 5)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(tab.read("a").await, Some(2));
    assert_eq!(tab.read("n").await, Some(5));
}

#[tokio::test]
async fn a_new_id_is_known_though_a_later_update_never_comes_to_rest() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let reply = browser
        .visit(async |session| {
            session.regenerate();
            tab.write("n", 10).await;
            let moves = site.store.pause(StoreMethod::Replace);
            let later = async {
                moves.reached().await;
                never_rests(&session);
                moves.open();
            };
            let (saved, ()) = tokio::join!(session.save(), later);
            assert!(saved.unwrap_err().is_conflict());
            session.set("n", 5)
        })
        .await;
    assert_eq!(reply.cookies().len(), 1);
    assert_eq!(browser.read("n").await, Some(5));
}
