use axum::{Router, body::Body, routing::get};
use http::{
    Request,
    header::{COOKIE, SET_COOKIE},
};
use http_body_util::BodyExt;
use tower::ServiceExt;
use wiz_session::{Error, Key, MemoryStore, WizSession, WizSessionLayer};

#[tokio::test]
async fn counts() {
    let app = Router::new()
        .route(
            "/",
            get(|session: WizSession| async move {
                Ok::<_, Error>(session.update("n", |n: &mut u32| *n += 1)?.to_string())
            }),
        )
        .layer(WizSessionLayer::new(MemoryStore::new(), Key::generate()));
    let response = app
        .clone()
        .oneshot(Request::new(Body::empty()))
        .await
        .unwrap();
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    println!("{:?}", response.headers());
    let value = cookie.split(';').next().unwrap();
    let request = Request::builder()
        .header(COOKIE, value)
        .body(Body::empty())
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert!(response.headers().get(SET_COOKIE).is_none());
    println!("{:?}", response.headers());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "2");
}
