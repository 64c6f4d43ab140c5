//! What a handler meets, on a store that can be made to fail.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use http::{Extensions, Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};
use wiz_session::{
    Error, Handle, MemoryStore, Record, SessionBody, SessionStore, Version, WizSession,
    store::Cursor,
};

use crate::{
    layer::{Fault, Site, StoreMethod, Yielding},
    met::{Met, SECRET, failure},
};

pub(crate) async fn meet() -> Vec<Met> {
    let mut met = vec![failure(
        WizSession::from_extensions(&Extensions::new()).await,
    )];
    met.extend(of_values().await);
    met.push(of_a_large_user().await);
    met.push(of_two_layers().await);
    met.extend(of_other_requests().await);
    met.push(of_a_sweep().await);
    met.push(of_a_failed_handler().await);
    met.extend(of_lost_answers().await);
    met.extend(of_the_store().await);
    met.extend(of_records());
    met.push(of_a_full_memory().await);
    met.extend(of_scans().await);
    met
}

async fn of_scans() -> [Met; 2] {
    let foreign = Cursor::new("of another store");
    [
        failure(Yielding::new(MemoryStore::new()).scan(None, 10).await).because("cannot list all"),
        failure(MemoryStore::new().scan(Some(&foreign), 10).await).because("another store"),
    ]
}

async fn of_values() -> Vec<Met> {
    let site = Site::with(|builder| builder.max_bytes(100));
    let mut met = Vec::new();
    site.browser()
        .visit(async |session| {
            session.set("pin", SECRET).unwrap();
            let by_pairs = HashMap::from([((1, 2), SECRET)]);
            met = vec![
                failure(session.get::<u64>("pin")),
                failure(session.set("pairs", by_pairs)).because("key must be a string"),
                failure(session.extend(SECRET)),
                failure(session.set("large", SECRET.repeat(100))),
            ];
            session.set("pin", None::<u64>).unwrap();
            met.push(failure(session.get::<u64>("pin")));
            let to_nan = |number: &mut f64| *number = f64::NAN;
            met.push(failure(session.update("ratio", to_nan)).because("null"));
            met.push(failure(session.token().await));
            met.push(failure(session.alias("sid", SECRET).await));
            session.log_in(SECRET);
            met.push(failure(session.user_as::<u64>()));
            let long = SECRET.repeat(1000);
            met.push(failure(session.alias("sid", &long).await));
        })
        .await;
    met
}

async fn of_a_large_user() -> Met {
    let site = Site::with(|builder| builder.max_bytes(100));
    let mut met = None;
    site.browser()
        .visit(async |session| {
            session.log_in(SECRET.repeat(100));
            met = Some(failure(session.save().await));
        })
        .await;
    met.expect("the handler ran")
}

async fn of_two_layers() -> Met {
    let (outer, inner) = (Site::new(), Site::new());
    let handler = service_fn(async |request: Request<()>| {
        let met = failure(WizSession::from_extensions(request.extensions()).await);
        Ok::<_, Error>(Response::new(met))
    });
    let mut service = outer.layer.layer(inner.layer.layer(handler));
    let response = service.call(Request::new(())).await.expect("an answer");
    let met = response.into_body().into_inner();
    met.and_then(SessionBody::into_inner).expect("a body")
}

async fn of_other_requests() -> Vec<Met> {
    let site = Site::with(|builder| builder.store_timeout(Duration::from_millis(20)));
    let mut met = Vec::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            site.store.fault(StoreMethod::Replace, Fault::Conflict);
            session.set("a", 2).unwrap();
            met.push(failure(session.save().await));
            site.store.heal();
            let handle = session.handle().unwrap();
            site.layer.sessions().revoke(handle).await.unwrap();
            met.push(failure(session.reload().await));
        })
        .await;

    let mut kept = None;
    site.browser()
        .visit(async |session| kept = Some(session))
        .await;
    let too_late = kept.expect("the handler ran");
    too_late.set("a", 1).unwrap();
    met.push(failure(too_late.save().await));
    met
}

async fn of_a_sweep() -> Met {
    let site = Site::new();
    let (mut browser, mut met) = (site.visitor().await, None);
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            site.pass(60);
            let handle = session.handle().unwrap();
            site.store.sessions().delete(handle).await.unwrap();
            met = Some(failure(session.save().await));
        })
        .await;
    met.expect("the handler ran")
}

async fn of_a_failed_handler() -> Met {
    let site = Site::new();
    let (mut browser, mut kept) = (site.visitor().await, None);
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            kept = Some(session);
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    failure(kept.expect("the handler ran").save().await)
}

async fn of_lost_answers() -> Vec<Met> {
    let site = Site::with(|builder| builder.store_timeout(Duration::from_millis(20)));
    let (mut browser, mut met) = (site.visitor().await, Vec::new());
    let mut others = browser.clone();
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            site.store.fault(StoreMethod::Replace, Fault::Hang);
            site.store.fault(StoreMethod::Load, Fault::Hang);
            met.push(failure(session.save().await));
            site.store.heal();
            for other in 0..9 {
                others.write("b", other).await;
            }
            met.push(failure(session.save().await));
            session.set("a", 3).unwrap();
            site.store.fault(StoreMethod::Replace, Fault::DoneThenHang);
            site.store.fault(StoreMethod::Load, Fault::Hang);
            session.save().await.unwrap_err();
            site.store.heal();
            others.visit(async |session| session.clear()).await;
            met.push(failure(session.save().await));
        })
        .await;
    met
}

async fn of_the_store() -> Vec<Met> {
    let site = Site::with(|builder| builder.store_timeout(Duration::from_millis(20)));
    let mut met = Vec::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            site.store.fault(StoreMethod::Load, Fault::Hang);
            met.push(failure(session.reload().await));
            site.store.fault(StoreMethod::Load, Fault::Fail);
            met.push(failure(session.reload().await).because("told to fail"));
        })
        .await;
    met
}

fn of_records() -> Vec<Met> {
    let read = |json: &str| failure(Record::from_json(json, Version::FIRST, SystemTime::now()));
    vec![
        read(SECRET),
        read(r#"{"v":2,"new":"hunter2"}"#),
        read(r#"{"v":1,"created_at":1,"deadline":1,"data":["hunter2"]}"#),
    ]
}

async fn of_a_full_memory() -> Met {
    let full = MemoryStore::with_max_sessions(0);
    let handle = Handle::from_bytes([1; 16]);
    let json = r#"{"v":1,"created_at":1,"deadline":1,"user":"hunter2","data":{}}"#;
    let record = Record::from_json(json, Version::FIRST, SystemTime::now()).unwrap();
    failure(full.create(handle, &record).await).because("full")
}

/// The response says nothing but what a developer has to know.
#[tokio::test]
async fn the_body_of_a_response_is_its_status() {
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    let site = Site::new();
    let mut bodies = Vec::new();
    site.browser()
        .visit(async |session| {
            session.set("pin", SECRET).unwrap();
            let errors = [
                session.get::<u64>("pin").unwrap_err(),
                Error::store("the disk is full"),
                Error::corrupt("it is damaged"),
            ];
            for error in errors {
                let body = error.into_response().into_body();
                bodies.push(body.collect().await.unwrap().to_bytes());
            }
        })
        .await;
    assert_eq!(
        bodies,
        [
            "Internal Server Error",
            "Service Unavailable",
            "Service Unavailable"
        ]
    );
}
