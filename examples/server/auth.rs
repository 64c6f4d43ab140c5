//! The document's `controller/base.py`: who may see a page is decided before the page runs.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use wiz_session::WizSession;

use crate::error::{Error, Result};
use crate::model::{User, Users, identity};

/// A page and all below it that need a login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Members,
    Admins,
}

impl Area {
    /// Compares the first segment, so that `/dashboardx` is not below `/dashboard`.
    fn of(path: &str) -> Option<Self> {
        match path.split('/').nth(1) {
            Some("dashboard" | "profile") => Some(Self::Members),
            Some("admin") => Some(Self::Admins),
            _ => None,
        }
    }
}

/// The user a protected page runs for; the guard puts it into the extensions.
#[derive(Clone)]
pub(crate) struct CurrentUser(pub(crate) User);

/// Lets a request through to a protected page, or sends it to log in and remembers where it
/// wanted to go. Other pages pass without a look at the session, and so does a question for what
/// may be asked: nobody wants to go there.
pub(crate) async fn guard(
    State(users): State<Users>,
    request: Request,
    next: Next,
) -> Result<Response> {
    let area = match *request.method() {
        Method::OPTIONS => None,
        _ => Area::of(request.uri().path()),
    };
    let Some(area) = area else {
        return Ok(next.run(request).await);
    };
    let (mut parts, body) = request.into_parts();
    let session = WizSession::from_request_parts(&mut parts, &()).await?;
    let Some(user) = identity::current_user(&session, &users) else {
        session.set(identity::REDIRECT, parts.uri.path())?;
        return Ok(Redirect::to("/login").into_response());
    };
    if area == Area::Admins && !user.is_admin {
        return Err(Error::new(StatusCode::FORBIDDEN, "Administrators only"));
    }
    parts.extensions.insert(CurrentUser(user));
    Ok(next.run(Request::from_parts(parts, body)).await)
}
