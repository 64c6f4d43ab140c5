//! Layers and extractors: side by side, misplaced, and without axum.

use std::{convert::Infallible, time::Duration};

use axum::{
    BoxError, Router,
    body::{Body, HttpBody},
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{
    limit::RequestBodyLimitLayer, timeout::ResponseBodyTimeoutLayer, trace::TraceLayer,
};
use wiz_session::{CookieOptions, Error, WizSession};

use crate::support::{Fault, Site, StoreMethod, handle};

#[tokio::test]
async fn each_layer_gives_its_own_session() {
    let shop = Site::with(|builder| builder.cookie(CookieOptions::new("shop")));
    let blog = Site::with(|builder| builder.cookie(CookieOptions::new("blog")));
    let foreign = Site::new();
    let (shop_layer, blog_layer) = (shop.layer.clone(), blog.layer.clone());
    let handler = move |request: Request| {
        let (shop, blog, foreign) = (
            shop_layer.clone(),
            blog_layer.clone(),
            foreign.layer.clone(),
        );
        async move {
            shop.session(request.extensions())
                .await?
                .set("at", "shop")?;
            blog.session(request.extensions())
                .await?
                .set("at", "blog")?;
            let missing = foreign.session(request.extensions()).await.unwrap_err();
            assert!(missing.is_missing_layer());
            Ok::<_, Error>(())
        }
    };
    let router = Router::new()
        .route("/", get(handler))
        .layer(shop.layer.clone())
        .layer(blog.layer.clone());
    let mut browser = shop.browser();
    assert_eq!(
        browser
            .send(router, Request::default())
            .await
            .cookies()
            .len(),
        2
    );
    assert_eq!(browser.read::<String>("at").await.as_deref(), Some("shop"));
}

#[tokio::test]
async fn without_a_layer_the_extractor_names_what_is_missing() {
    let site = Site::new();
    let reply = site
        .browser()
        .send(handle(async |_| ()), Request::default())
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.body.contains("WizSessionLayer"), "{}", reply.body);

    let optional = Router::new().route(
        "/",
        get(async |session: Option<WizSession>| session.is_none().to_string()),
    );
    assert_eq!(
        site.browser().send(optional, Request::default()).await.body,
        "true"
    );
}

#[tokio::test]
async fn an_optional_session_is_no_way_around_a_failing_store() {
    let site = Site::new();
    let optional = get(async |session: Option<WizSession>| session.is_some().to_string());
    let router = Router::new().route("/", optional).layer(site.layer.clone());
    let mut browser = site.visitor().await;
    assert_eq!(
        browser.send(router.clone(), Request::default()).await.body,
        "true"
    );
    site.store.fault(StoreMethod::Load, Fault::Fail);
    let reply = browser.send(router, Request::default()).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn plain_tower_needs_no_axum() {
    let site = Site::new();
    let service = ServiceBuilder::new()
        .layer(site.layer.clone())
        .service(service_fn(async |request: http::Request<u8>| {
            let session = WizSession::from_extensions(request.extensions())
                .await
                .unwrap();
            let sum = session.update("sum", |sum: &mut u8| *sum += 7).unwrap();
            Ok::<_, Infallible>(http::Response::new(sum + request.body()))
        }));
    let first = service
        .clone()
        .oneshot(http::Request::new(1))
        .await
        .unwrap();
    assert_eq!(first.body().clone().into_inner(), Some(8));
    let cookie = first.headers()[SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let second = http::Request::builder()
        .header(COOKIE, cookie)
        .body(2)
        .unwrap();
    let second = service.oneshot(second).await.unwrap();
    assert_eq!(
        (
            second.body().clone().into_inner(),
            second.headers().get(SET_COOKIE)
        ),
        (Some(16), None)
    );

    let bare = http::Request::new(());
    let error = WizSession::from_extensions(bare.extensions())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("WizSessionLayer"));
}

/// What of a request says how it went, whatever its body has become on the way.
async fn count_up<B>(request: http::Request<B>) -> Result<Response, BoxError> {
    let session = WizSession::from_extensions(request.extensions()).await?;
    let count = session.update("count", |count: &mut u32| *count += 1)?;
    Ok(count.to_string().into_response())
}

#[tokio::test]
async fn the_layer_stands_outside_of_those_that_change_the_type_of_a_body() {
    let site = Site::new();
    let second = Duration::from_secs(1);
    let service = ServiceBuilder::new()
        .layer(site.layer.clone())
        .layer(TraceLayer::new_for_http())
        .layer(RequestBodyLimitLayer::new(1024))
        .layer(ResponseBodyTimeoutLayer::new(second))
        .service(service_fn(count_up));
    let first = service.clone().oneshot(http::Request::new(Body::empty()));
    let first = first.await.unwrap();
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap();
    let pair = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(text(first.into_body()).await, "1");

    let again = http::Request::builder().header(COOKIE, pair);
    let again = service.oneshot(again.body(Body::empty()).unwrap());
    assert_eq!(text(again.await.unwrap().into_body()).await, "2");
}

async fn text<B: HttpBody<Error: std::fmt::Debug>>(body: B) -> String {
    let bytes = body.collect().await.expect("the body ends").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("the body is text")
}

#[tokio::test]
async fn a_router_takes_the_layer_in_one_stack_with_others() {
    let site = Site::new();
    let count = async |session: WizSession| {
        let count = session.update("count", |count: &mut u32| *count += 1)?;
        Ok::<_, Error>(count.to_string())
    };
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(site.layer.clone())
        .layer(RequestBodyLimitLayer::new(1024))
        .layer(ResponseBodyTimeoutLayer::new(Duration::from_secs(1)));
    let router = Router::new().route("/", get(count)).layer(stack);
    let mut browser = site.browser();
    for visit in 1..=2 {
        let reply = browser.send(router.clone(), Request::default()).await;
        assert_eq!(reply.body, visit.to_string());
    }
    let large = Request::get("/").header("content-length", "2000");
    let reply = browser
        .send(router, large.body(Body::empty()).unwrap())
        .await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
}
