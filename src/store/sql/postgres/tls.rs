use std::path::Path;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Refusal;

/// Verifies the server's certificate: its chain up to one of these authorities, or of the system's, and its host.
pub(super) fn verified(authorities: Option<&Path>) -> Result<MakeRustlsConnect, Refusal> {
    let mut roots = RootCertStore::empty();
    let certificates = match authorities {
        Some(file) => from_file(file)?,
        // Those that cannot be read are left out: others may do.
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(Refusal::of_certificates(
            "there is no certificate of an authority".to_owned(),
        ));
    }
    // Named, as an application's other dependencies may bring a second one, and rustls then refuses to choose.
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::of_certificates(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn from_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let unreadable = |error| {
        let file = file.display();
        Refusal::of_certificates(format!(
            "the certificates in {file} cannot be read: {error}"
        ))
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    certificates.collect::<Result<_, _>>().map_err(unreadable)
}
