//! A registration in steps, kept in the session until it is complete.

use serde::{Deserialize, Serialize};
use wiz_session::{Error, WizSession};

use crate::model::{Contact, NewUser};

const STEP1: &str = "registration_step1";
const STEP2: &str = "registration_step2";

/// Who registers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Step1 {
    name: String,
    email: String,
}

/// How to reach them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Step2 {
    phone: String,
    address: String,
}

/// The registration under way in one session.
pub(crate) struct Registration<'a> {
    session: &'a WizSession,
}

impl<'a> Registration<'a> {
    pub(crate) fn of(session: &'a WizSession) -> Self {
        Self { session }
    }

    pub(crate) fn save_step1(&self, step: &Step1) -> Result<(), Error> {
        self.session.set(STEP1, step)
    }

    pub(crate) fn save_step2(&self, step: &Step2) -> Result<(), Error> {
        self.session.set(STEP2, step)
    }

    /// Takes both steps out of the session, or neither when one is missing. Of requests that run
    /// at once only one gets them, so nobody is registered twice.
    pub(crate) async fn take(&self) -> Result<Option<NewUser>, Error> {
        self.session
            .transaction(|tx| {
                let (Some(step1), Some(step2)) = (tx.get::<Step1>(STEP1)?, tx.get::<Step2>(STEP2)?)
                else {
                    return Ok(None);
                };
                tx.delete(STEP1);
                tx.delete(STEP2);
                Ok(Some(NewUser {
                    name: step1.name,
                    email: step1.email,
                    contact: Some(Contact {
                        phone: step2.phone,
                        address: step2.address,
                    }),
                }))
            })
            .await
    }
}
