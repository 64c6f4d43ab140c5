//! Helpers for the tests of an application: logged-in cookies, and a store that records its calls and fails on demand.
//!
//! ```
//! use axum::{Router, body::Body, http::{Request, StatusCode, header::COOKIE}, routing::get};
//! use tower::ServiceExt;
//! use wiz_session::{Key, WizSession, WizSessionLayer, test_util::{TestStore, StoreMethod, logged_in}};
//!
//! async fn account(session: WizSession) -> String {
//!     format!("hello, {}", session.user().unwrap_or_default())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let store = TestStore::new();
//! let layer = WizSessionLayer::new(store.clone(), Key::generate());
//! let app = Router::new().route("/account", get(account)).layer(layer.clone());
//!
//! let cookie = logged_in(&layer, "alice").await;
//! let request = Request::get("/account").header(COOKIE, cookie).body(Body::empty()).unwrap();
//! assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::OK);
//!
//! assert_eq!(store.calls(), [StoreMethod::Create, StoreMethod::Load]);
//! # }
//! ```
//!
//! The [guide](crate::guide::testing) has whole tests. For time, use [`Clock::manual`](crate::Clock::manual).

#[cfg(feature = "dbsc")]
mod device_browser;
mod store;
mod visit;

#[cfg(feature = "dbsc")]
pub use self::device_browser::DeviceBrowser;
pub use self::{
    store::{Fault, Gate, StoreMethod, TestStore},
    visit::{cookie_header, logged_in, session_cookie, with_session},
};
