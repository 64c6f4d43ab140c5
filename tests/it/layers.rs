//! Layers and extractors: side by side, misplaced, and without axum.

use std::convert::Infallible;

use axum::{Router, extract::Request, routing::get};
use http::{
    StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use tower::{ServiceBuilder, ServiceExt, service_fn};
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
