//! Clients whose sessions are bound to their device.

use std::{convert::Infallible, future::ready};

use http::{HeaderValue, Request, Response, header::SET_COOKIE};
use tower::{Layer, service_fn};
use wiz_session::{Clock, WizSessionLayer, test_util::DeviceBrowser};

/// The header by which a response offers to bind its session.
pub(crate) const OFFER: &str = "secure-session-registration";

/// What a client has of one session.
#[derive(Debug, Clone)]
pub(crate) struct Jar {
    /// Of the cookie `sid`.
    pub(crate) value: String,
    /// Of the bound cookie, which stays when the session moves.
    pub(crate) bound: Option<String>,
}

impl Jar {
    /// As a `Cookie` header.
    pub(crate) fn header(&self) -> HeaderValue {
        let Self { value, bound } = self;
        let line = match bound {
            None => format!("sid={value}"),
            Some(bound) => format!("sid={value}; sid-bound={bound}"),
        };
        line.parse().expect("a header")
    }
}

/// Accepts the offer to bind the session of this cookie with a new device, and gives the bound cookie if the session still
/// lives and is not bound: a browser is sent the offer once more, and asks the layer.
pub(crate) async fn bind(
    layer: &WizSessionLayer,
    clock: &Clock,
    cookie: &str,
    offer: &HeaderValue,
) -> Option<String> {
    let cookie = HeaderValue::try_from(format!("sid={cookie}")).expect("a header");
    // The layer answers the registration itself.
    let app = layer.layer(service_fn(|_: Request<String>| {
        let mut response = Response::new(String::new());
        response.headers_mut().insert(OFFER, offer.clone());
        response.headers_mut().insert(SET_COOKIE, cookie.clone());
        ready(Ok::<_, Infallible>(response))
    }));
    let mut browser = DeviceBrowser::new(clock);
    browser.send(&app, Request::new(String::new())).await;
    let cookies = browser.cookies().expect("that of the session");
    let cookies = cookies.to_str().expect("ASCII");
    let mut pairs = cookies.split("; ");
    let bound = pairs.find_map(|pair| pair.strip_prefix("sid-bound="));
    bound.map(str::to_owned)
}
