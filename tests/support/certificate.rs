//! A certificate for 127.0.0.1 and its key, made for the occasion, in files as a server takes them.

use std::{fs, path::PathBuf, process::Command};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::PublicKeyData;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) struct Certificate {
    folder: TempDir,
    /// As a client may trust it.
    #[allow(dead_code, reason = "a browser trusts its fingerprint")]
    pub(crate) der: Vec<u8>,
    /// SHA-256 of its public key, as Chromium takes it.
    #[allow(dead_code, reason = "clients trust the certificate")]
    pub(crate) fingerprint: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, pem: String| {
            fs::write(folder.path().join(name), pem).expect("it can be written");
        };
        write("cert.pem", pem("CERTIFICATE", made.cert.der()));
        write(
            "key.pem",
            pem("PRIVATE KEY", &made.signing_key.serialize_der()),
        );
        let public_key = made.signing_key.subject_public_key_info();
        Self {
            folder,
            der: made.cert.der().to_vec(),
            fingerprint: BASE64_STANDARD.encode(Sha256::digest(public_key)),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the example server speak TLS.
    pub(crate) fn show<'a>(&self, server: &'a mut Command) -> &'a mut Command {
        server
            .env("TLS_CERT", self.path("cert.pem"))
            .env("TLS_KEY", self.path("key.pem"))
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64);
    let lines = lines.map(|line| str::from_utf8(line).expect("ASCII"));
    let lines: Vec<&str> = lines.collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
