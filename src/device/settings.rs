use std::{ops::RangeInclusive, time::Duration};

use super::{
    binding::DeviceBinding,
    gate::{DeviceGate, Gate},
};
use crate::{
    cookie::{CookieOptions, Keys},
    error::ConfigError,
};

/// What the application asked for.
#[derive(Default)]
pub(crate) struct DeviceSettings(Option<DeviceBinding>);

impl From<DeviceBinding> for DeviceSettings {
    fn from(binding: DeviceBinding) -> Self {
        Self(Some(binding))
    }
}

const LIFETIMES: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
const GRACES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10 * 60);

impl DeviceSettings {
    pub(crate) fn validate(&self, cookie: &CookieOptions) -> Result<(), ConfigError> {
        let Some(binding) = &self.0 else {
            return Ok(());
        };
        let DeviceBinding {
            cookie_lifetime,
            path,
            excluded,
            ..
        } = binding;
        let refuse = |why: String| Err(ConfigError::new(why));
        if !LIFETIMES.contains(cookie_lifetime) {
            return refuse(format!(
                "cookie_lifetime is {cookie_lifetime:?}: give `DeviceBinding::cookie_lifetime(…)` from a second to a day"
            ));
        }
        let grace = binding.grace_or_default();
        if !GRACES.contains(&grace) {
            return refuse(format!(
                "grace is {grace:?}: give `DeviceBinding::grace(…)` from a second to ten minutes"
            ));
        }
        if let Some(path) = [path]
            .into_iter()
            .chain(excluded)
            .find(|path| !is_path(path))
        {
            return refuse(format!(
                "{path:?} is not a path for a device binding: give one that begins with `/`, does not end with it, and has \
                 letters, digits, `-`, `.`, `_`, `~` and `/` only"
            ));
        }
        validate_cookie(binding, cookie)
    }

    /// For this cookie, and those that are taken for it.
    pub(crate) fn open<'a>(
        self,
        cookie: &CookieOptions,
        others: impl Iterator<Item = &'a CookieOptions>,
        keys: &Keys,
    ) -> DeviceGate {
        let names = others.map(CookieOptions::cookie_name);
        DeviceGate::new(
            self.0
                .map(|binding| Gate::new(&binding, cookie, names, keys)),
        )
    }
}

/// What the cookie has to be for it.
fn validate_cookie(binding: &DeviceBinding, cookie: &CookieOptions) -> Result<(), ConfigError> {
    let refuse = |why: String| Err(ConfigError::new(why));
    let (name, path) = (cookie.cookie_name(), &binding.path);
    if !cookie.is_secure() {
        return refuse(format!(
            "device_bound needs a cookie that travels over HTTPS only, and {name} is not Secure: give `.cookie(…)` one \
             that is, or leave `.device_bound(…)` out for plain HTTP"
        ));
    }
    if cookie.is_partitioned() {
        return refuse(format!(
            "device_bound and a partitioned cookie exclude each other, as browsers bind no such cookie: make {name} \
             another one by `.partitioned(false)`, or leave `.device_bound(…)` out"
        ));
    }
    if !cookie.covers(path) {
        return refuse(format!(
            "the cookie {name} is not sent to {path}: give `DeviceBinding::path(…)` one below the cookie's, or the cookie \
             the path `/`"
        ));
    }
    Ok(())
}

fn is_path(path: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    path.len() > 1 && path.starts_with('/') && !path.ends_with('/') && path.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_no_browser_binds_is_refused() {
        let binding = DeviceBinding::offer().path("/app/device");
        let validated = |cookie| validate_cookie(&binding, &cookie);
        let sid = || CookieOptions::new("sid");
        for path in ["/", "/app", "/app/", "/app/device"] {
            assert_eq!(validated(sid().path(path)), Ok(()), "{path}");
        }
        let others = [
            (sid().secure(false), "is not Secure"),
            (sid().partitioned(true), "a partitioned cookie"),
            (sid().path("/ap"), "is not sent to /app/device"),
            (sid().path("/app/device/"), "is not sent to /app/device"),
            (sid().path("/other"), "is not sent to /app/device"),
        ];
        for (cookie, reason) in others {
            let why = validated(cookie).expect_err(reason).to_string();
            assert!(why.contains(reason), "{why}");
        }
    }
}
