//! The makers of TPMs that a site trusts: a folder of their certificates, pinned by whoever keeps the site.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use key_metadata::Advice;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::{EndEntityCert, anchor_from_trusted_cert};

/// The files that are read, by the end of their name; others, such as a note on where they come from, are passed over.
const ENDINGS: [&str; 4] = ["pem", "crt", "cer", "der"];
/// The largest file, in bytes, and the most certificates. No standard has them; makers publish tens of a few kilobytes each.
const LARGEST: u64 = 1 << 20;
const MOST: usize = 1000;

/// Certificates of certification authorities (CA) that certify endorsement keys.
#[derive(Debug)]
pub struct Bundle {
    pub(crate) anchors: Vec<TrustAnchor<'static>>,
    pub(crate) intermediates: Vec<CertificateDer<'static>>,
}

/// Why a folder is no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It or a file in it could not be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is too large for what it should be.
    #[error("{} has more than {LARGEST} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// More certificates than makers have.
    #[error("{} holds more than {MOST} certificates", folder.display())]
    TooMany {
        /// The folder.
        folder: PathBuf,
    },
    /// Something else than a certificate.
    #[error("{} holds no certificate that can be used: {reason}", path.display())]
    NotACertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody to trust.
    #[error("{} holds no self-signed certificate, such as a maker's root", folder.display())]
    NoAnchor {
        /// The folder.
        folder: PathBuf,
    },
}

impl Advice for BundleError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => None,
            Self::TooLarge { .. } | Self::TooMany { .. } | Self::NotACertificate { .. } => Some(
                "keep only certificates of TPM makers there: .pem with one or more, .crt, .cer or .der with one"
                    .to_owned(),
            ),
            Self::NoAnchor { .. } => {
                Some("put the root certificate there that the maker of the TPM publishes".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Bundle {
    /// Reads a folder, without its subfolders. A certificate whose subject is its issuer is trusted; the others only lead to one.
    pub fn from_folder(folder: &Path) -> Result<Self, BundleError> {
        let unreadable = |source| BundleError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
            if path.is_file()
                && ENDINGS
                    .into_iter()
                    .any(|known| ending.as_deref() == Some(known.as_ref()))
            {
                files.push(path);
            }
        }
        files.sort();
        let mut bundle = Self {
            anchors: Vec::new(),
            intermediates: Vec::new(),
        };
        for path in files {
            for certificate in certificates(&path)? {
                bundle
                    .add(certificate)
                    .map_err(|error| BundleError::NotACertificate {
                        path: path.clone(),
                        reason: format!("{error:?}"),
                    })?;
            }
            if bundle.len() > MOST {
                let folder = folder.to_owned();
                return Err(BundleError::TooMany { folder });
            }
        }
        if bundle.anchors.is_empty() {
            let folder = folder.to_owned();
            return Err(BundleError::NoAnchor { folder });
        }
        Ok(bundle)
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), webpki::Error> {
        let read = EndEntityCert::try_from(&certificate)?;
        if read.subject() == read.issuer() {
            self.anchors
                .push(anchor_from_trusted_cert(&certificate)?.to_owned());
        } else {
            self.intermediates.push(certificate);
        }
        Ok(())
    }

    /// How many certificates it has.
    pub fn len(&self) -> usize {
        self.anchors.len() + self.intermediates.len()
    }

    /// Whether it has none; a folder without any is an error.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The certificates in a file: PEM, whatever else stands between them, or one in DER.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BundleError> {
    let unreadable = |source| BundleError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(BundleError::TooLarge {
            path: path.to_owned(),
        });
    }
    // A certificate in DER is a SEQUENCE.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let bad = |reason: String| BundleError::NotACertificate {
        path: path.to_owned(),
        reason,
    };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(error.to_string()))?;
    if found.is_empty() {
        return Err(bad("it has neither PEM nor DER".to_owned()));
    }
    Ok(found)
}
