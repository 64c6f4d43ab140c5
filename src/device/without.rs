use std::future::Ready;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, request::Parts};

use crate::{
    cookie::{CookieHeader, CookieOptions, Keys},
    error::ConfigError,
    id::Handle,
    record::Record,
    time::Timestamp,
};

#[derive(Default)]
pub(crate) struct DeviceSettings {}

#[allow(clippy::unused_self, reason = "as with the feature")]
impl DeviceSettings {
    pub(crate) fn validate(&self, _cookie: &CookieOptions) -> Result<(), ConfigError> {
        Ok(())
    }

    pub(crate) fn open<'a>(
        self,
        _cookie: &CookieOptions,
        _others: impl Iterator<Item = &'a CookieOptions>,
        _keys: &Keys,
    ) -> DeviceGate {
        DeviceGate
    }
}

/// Open to all.
pub(crate) struct DeviceGate;

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {}

/// To what is never asked.
pub(crate) type Answer = Ready<Response<Option<Box<str>>>>;

#[allow(clippy::unused_self, reason = "as with the feature")]
impl DeviceGate {
    #[inline]
    pub(crate) fn admits(
        &self,
        _record: &Record,
        _cookies: &CookieHeader,
        _now: Timestamp,
    ) -> bool {
        true
    }

    #[inline]
    pub(crate) fn route<B>(&self, _request: &Request<B>) -> Option<Route> {
        None
    }

    #[inline]
    pub(crate) fn note_skipped(&self, _headers: &HeaderMap) {}

    #[inline]
    pub(crate) fn header(
        &self,
        _handle: Handle,
        _record: &Record,
        _now: Timestamp,
    ) -> Option<(HeaderName, HeaderValue)> {
        None
    }

    #[inline]
    pub(crate) fn removal(&self, _cookies: &CookieHeader) -> Option<HeaderValue> {
        None
    }
}

pub(crate) fn answer<C>(route: Route, _config: C, _request: Parts) -> Answer {
    match route {}
}
