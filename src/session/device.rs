use std::sync::Arc;

use super::{load, request::RequestSession, wiz_session::WizSession};
use crate::{error::Error, id::Handle, record::Device};

/// Whether a device vouches for the session.
impl WizSession {
    /// Whether the session is bound to the device of its browser, see [`DeviceBinding`](crate::DeviceBinding). From the
    /// request after the registration on, which follows the login; `false` in the login itself, and for a visitor.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if !session.is_device_bound() {
    ///     println!("ask for the password again before money is sent");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_device_bound(&self) -> bool {
        let bound = |record: &crate::Record| record.is_device_bound();
        self.session.view(|state| state.record().is_some_and(bound))
    }

    /// Whether the request came with a session that it may not use: it is bound to a device, and the device has not vouched
    /// for the request, or it had to be bound and is not. Such a session reads as empty and [as ended](Self::is_ended); a
    /// login begins another one, and [`clear`](Self::clear) ends it.
    ///
    /// Either the cookie was copied, or the browser could not refresh its bound cookie; the event that goes with it and
    /// `Secure-Session-Skipped` tell more.
    ///
    /// ```
    /// # fn f(session: wiz_session::WizSession) {
    /// if session.is_unbound() {
    ///     println!("reload the page, or log in again");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_unbound(&self) -> bool {
        self.session.view(|state| state.is_unbound())
    }
}

impl RequestSession {
    /// Binds the session of this name to the device, and answers to which it is bound: another one, if that was faster.
    /// `None` if it is not the session of this request.
    pub(crate) async fn bind(
        &self,
        handle: Handle,
        device: Arc<Device>,
    ) -> Result<Option<Arc<Device>>, Error> {
        // Not bound yet, it may lack the cookie.
        let loaded = load::load(&self.config, self.cookies(), self.named(), false).await?;
        let _first = self.loaded.set(loaded);
        let is_own = self.view(|state| state.base.live().is_some_and(|own| own.handle == handle));
        if !is_own {
            return Ok(None);
        }
        if self.device().is_none() {
            self.edit(|state| state.bind(device));
            self.save().await?;
        }
        Ok(self.device())
    }

    fn device(&self) -> Option<Arc<Device>> {
        self.view(|state| state.record()?.device().cloned())
    }
}
