//! Who the session belongs to.

use axum::http::HeaderMap;
use serde::Serialize;
use wiz_session::{Error, WizSession};

use crate::model::{User, Users, device};

/// Where a visitor wanted to go before the login.
pub(crate) const REDIRECT: &str = "redirect_after_login";

const USER_ID: &str = "user_id";

/// The document's keys of a login.
#[derive(Serialize)]
struct Keys<'a> {
    user_id: i64,
    user_email: &'a str,
    is_admin: bool,
}

/// Makes the session `user`'s, under a new id. What it held is kept, unless it was someone else's. The headers are those
/// of the request, and name the browser.
pub(crate) fn log_in(session: &WizSession, user: &User, headers: &HeaderMap) -> Result<(), Error> {
    session.log_in(user.id);
    session.label(device::label(headers));
    session.extend(Keys {
        user_id: user.id,
        user_email: &user.email,
        is_admin: user.is_admin,
    })
}

/// The user who is logged in, as the accounts know them now: a deleted account is nobody, and an
/// administrator who no longer is one has lost the rights.
///
/// The session's own record of the login counts. `user_id` must agree with it but does not do
/// alone, because `/ws` and `/api/slow_set` let anybody set any key.
pub(crate) fn current_user(session: &WizSession, users: &Users) -> Option<User> {
    let id: i64 = session.user_as().ok()??;
    if session.get_value(USER_ID) != Some(id.into()) {
        return None;
    }
    users.get(id)
}
