use http::{Extensions, Method, Request, Uri};

use crate::{error::Error, session::WizSession};

/// Where the path is remembered: the key of wiz's own recipe.
const KEY: &str = "redirect_after_login";

/// Longer paths are not remembered, in bytes: anybody can ask for one.
const MAX_BYTES: usize = 2048;

impl WizSession {
    /// The path that a visitor asked for before a [`Guard`](crate::Guard) sent them to the login, once. It is a path of this
    /// site, safe to redirect to.
    ///
    /// ```
    /// use axum::response::Redirect;
    /// use wiz_session::{Error, WizSession};
    ///
    /// async fn log_in(session: WizSession) -> Result<Redirect, Error> {
    ///     session.log_in("alice");
    ///     let path = session.take_redirect_after_login()?;
    ///     Ok(Redirect::to(path.as_deref().unwrap_or("/")))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_decode`] if the application keeps something else under `redirect_after_login`.
    pub fn take_redirect_after_login(&self) -> Result<Option<String>, Error> {
        let path: Option<String> = self.take(KEY)?;
        Ok(path.filter(|path| local_path(path).is_some()))
    }

    /// Unless there is no room for it, or the client has a token: it could not keep a session that begins here.
    pub(super) fn remember_redirect(&self, path: &str) -> Result<(), Error> {
        if self.came_with_token() {
            return Ok(());
        }
        match self.set(KEY, path) {
            Err(error) if error.is_too_large() => Ok(()),
            set => set,
        }
    }
}

/// The path, with its query, to come back to after the login. `None` for what a browser could not ask for again by an
/// address alone.
pub(super) fn path_of<B>(request: &Request<B>) -> Option<String> {
    let uri = original(request.extensions()).unwrap_or(request.uri());
    let path = uri.path_and_query()?.as_str();
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_fine = is_page && path.len() <= MAX_BYTES && local_path(path).is_some();
    is_fine.then(|| path.to_owned())
}

/// What the client asked for: a nested router sees a part of it only.
#[cfg(feature = "axum")]
fn original(extensions: &Extensions) -> Option<&Uri> {
    let axum::extract::OriginalUri(uri) = extensions.get()?;
    Some(uri)
}

#[cfg(not(feature = "axum"))]
fn original(_: &Extensions) -> Option<&Uri> {
    None
}

pub(super) fn local_path(text: &str) -> Option<&str> {
    let is_local = text.starts_with('/')
        && !text[1..].starts_with(['/', '\\'])
        // Browsers drop tabs and line breaks, and then see what follows them.
        && !text.contains(|c: char| c.is_control());
    is_local.then_some(text)
}

/// The login page with the path in its query.
pub(super) fn with_next(page: &str, name: &str, path: &str) -> String {
    let separator = if page.contains('?') { '&' } else { '?' };
    let mut address = format!("{page}{separator}{name}=");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                address.push(char::from(byte));
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_local() {
        for local in ["/", "/a", "/a?b=//c", "/a//b", "/%2F%2Fexample.com", "/한"] {
            assert_eq!(local_path(local), Some(local));
        }
        for other in [
            "",
            "a",
            "//example.com",
            "/\\example.com",
            "\\\\example.com",
            "/\t/example.com",
            "\t//example.com",
            "/\n/example.com",
            "https://example.com",
            "javascript:alert(1)",
            "?next=/a",
        ] {
            assert_eq!(local_path(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_path_is_encoded_for_a_query() {
        let address = with_next("/login", "next", "/a b?c=d&e=한#f");
        assert_eq!(address, "/login?next=/a%20b%3Fc%3Dd%26e%3D%ED%95%9C%23f");
        assert_eq!(
            with_next("/login?lang=ko", "to", "/"),
            "/login?lang=ko&to=/"
        );
    }
}
