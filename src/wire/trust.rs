//! Whom TLS trusts: root certificates, revocation lists, our own certificate, and how far `sslmode` goes.

use super::certificate;
use super::conninfo::{Host, SslMode, TlsOptions, TlsVersion, Wish};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, IpAddr, PrivateKeyDer, ServerName, UnixTime,
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    version,
};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All that a handshake with one host needs; kept for cancel requests.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Plan {
    /// Reads the files. Err is the message.
    pub(super) fn new(options: &TlsOptions, host: &Host) -> Result<Plan, String> {
        let provider = Arc::new(ring::default_provider());
        let versions: Vec<_> =
            [(TlsVersion::V12, &version::TLS12), (TlsVersion::V13, &version::TLS13)]
                .into_iter()
                .filter(|(level, _)| {
                    *level >= options.min && options.max.is_none_or(|max| *level <= max)
                })
                .map(|(_, version)| version)
                .collect();
        if versions.is_empty() {
            return Err(
                "no TLS version older than 1.2 is supported (ssl_max_protocol_version)".into()
            );
        }
        let verifier = Verifier::new(options, host, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match own_certificate(options)? {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("could not use the client certificate: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = options.sni;
        // A name that TLS cannot carry goes unnamed: the verifier compares with the host itself.
        let name = ServerName::try_from(host.host.clone())
            .unwrap_or(ServerName::IpAddress(IpAddr::V4([0, 0, 0, 0].into())));
        Ok(Plan { config: Arc::new(config), name })
    }
}

/// The trusted roots: `None` if there is nothing to verify against and `sslmode` does not ask for it.
fn roots(options: &TlsOptions) -> Result<Option<Vec<CertificateDer<'static>>>, String> {
    if options.root.as_deref() == Some("system") {
        return Ok(Some(rustls_native_certs::load_native_certs().certs));
    }
    let file = options.root.as_ref().map(PathBuf::from);
    let file = file.or_else(|| options.directory.as_ref().map(|home| home.join("root.crt")));
    match file {
        Some(file) if file.exists() => certificates(&file).map(Some).map_err(|error| {
            format!("could not read root certificate file \"{}\": {error}", file.display())
        }),
        file if options.mode >= SslMode::VerifyCa => Err(format!(
            "root certificate file \"{}\" does not exist\nEither provide the file, use the system's trusted \
             roots with sslrootcert=system, or change sslmode to disable server certificate verification.",
            file.unwrap_or_default().display()
        )),
        _ => Ok(None),
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(|error| pem_text(&error))?.collect();
    let found = found.map_err(|error| pem_text(&error))?;
    if found.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(found) }
}

fn pem_text(error: &PemError) -> String {
    match error {
        PemError::Io(error) => super::socket::text_of(error),
        other => other.to_string(),
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The client certificate and its key, if there are any and they may be shown.
fn own_certificate(options: &TlsOptions) -> Result<Option<Identity>, String> {
    let pick = |given: &Option<String>, default: &str| {
        let given = given.as_ref().map(PathBuf::from);
        given.or_else(|| options.directory.as_ref().map(|home| home.join(default)))
    };
    let cert = pick(&options.cert, "postgresql.crt").filter(|file| file.exists());
    let cert = match (cert, options.cert_mode) {
        (_, Wish::Disable) => return Ok(None),
        (None, Wish::Require) => {
            return Err("sslcertmode is \"require\", but there is no certificate".into());
        }
        (None, Wish::Prefer) => return Ok(None),
        (Some(cert), _) => cert,
    };
    let chain = certificates(&cert).map_err(|error| {
        format!("could not read certificate file \"{}\": {error}", cert.display())
    })?;
    let file = pick(&options.key, "postgresql.key").unwrap_or_default();
    let Ok(metadata) = std::fs::metadata(&file) else {
        let file = file.display();
        return Err(format!("certificate present, but not private key file \"{file}\""));
    };
    let allowed = if metadata.uid() == 0 { 0o640 } else { 0o600 };
    if metadata.mode() & 0o777 & !allowed != 0 {
        return Err(format!(
            "private key file \"{}\" has group or world access; file must have permissions u=rw (0600) or \
             less if owned by the current user, or permissions u=rw,g=r (0640) or less if owned by root",
            file.display()
        ));
    }
    match PrivateKeyDer::from_pem_file(&file) {
        Ok(key) => Ok(Some((chain, key))),
        Err(error) => {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let text = zeroize::Zeroizing::new(text);
            let why = if text.contains("ENCRYPTED") {
                "encrypted private keys (sslpassword) are not supported".to_owned()
            } else {
                pem_text(&error)
            };
            Err(format!("could not load private key file \"{}\": {why}", file.display()))
        }
    }
}

/// Checks the server's certificate as far as `sslmode` asks.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
    /// The host to find in the certificate (verify-full).
    host: Option<String>,
    /// Revocation lists are looked at.
    revocation: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        options: &TlsOptions,
        host: &Host,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Verifier, String> {
        if options.mode == SslMode::VerifyFull && host.host.is_empty() {
            return Err("host name must be specified for a verified SSL connection".to_owned());
        }
        let mut verifier = Verifier {
            chain: None,
            trusted: Vec::new(),
            host: (options.mode == SslMode::VerifyFull).then(|| host.host.clone()),
            revocation: false,
            provider: provider.clone(),
        };
        let Some(trusted) = roots(options)? else { return Ok(verifier) };
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(trusted.iter().cloned());
        let mut builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone());
        let list = options.crl.as_ref().map(PathBuf::from);
        let list = list.or_else(|| options.directory.as_ref().map(|home| home.join("root.crl")));
        if let Some(file) = list.filter(|file| file.exists()) {
            let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_file_iter(&file)
                .map_err(|error| pem_text(&error))
                .and_then(|lists| {
                    lists.collect::<Result<Vec<_>, _>>().map_err(|error| pem_text(&error))
                });
            let lists = lists.map_err(|error| {
                format!(
                    "could not read certificate revocation list \"{}\": {error}",
                    file.display()
                )
            })?;
            builder = builder.with_crls(lists);
            verifier.revocation = true;
        }
        let chain =
            builder.build().map_err(|error| format!("could not use root certificates: {error}"))?;
        verifier.chain = Some(chain);
        verifier.trusted = trusted;
        Ok(verifier)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let result =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match result {
            Ok(_) => {}
            // The chain is good; names are compared below, the way libpq does.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            // What webpki leaves out and OpenSSL takes: a certificate that is itself trusted, and X.509 v1.
            // Never when webpki has found a fault (expired, revoked, bad signature), nor past revocation lists.
            Err(Error::InvalidCertificate(
                CertificateError::Other(_)
                | CertificateError::BadEncoding
                | CertificateError::UnknownIssuer,
            )) if !self.revocation
                && certificate::is_trusted(
                    end_entity,
                    &self.trusted,
                    now,
                    self.provider.signature_verification_algorithms.all,
                ) => {}
            Err(error) => return Err(error),
        }
        match &self.host {
            Some(host) if !certificate::matches_host(end_entity, host) => {
                let text = format!(
                    "server certificate for \"{}\" does not match host name \"{host}\"",
                    certificate::first_name(end_entity).unwrap_or_default()
                );
                let mismatch = rustls::OtherError(Arc::new(io::Error::other(text)));
                Err(Error::InvalidCertificate(CertificateError::Other(mismatch)))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms).or_else(|error| {
            certificate::verify_handshake(message, cert, signed, algorithms).ok_or(error)
        })
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms).or_else(|error| {
            // PKCS #1 v1.5 signatures are not for TLS 1.3.
            let old = matches!(
                signed.scheme,
                SignatureScheme::RSA_PKCS1_SHA1
                    | SignatureScheme::RSA_PKCS1_SHA256
                    | SignatureScheme::RSA_PKCS1_SHA384
                    | SignatureScheme::RSA_PKCS1_SHA512
            );
            let direct = if old {
                None
            } else {
                certificate::verify_handshake(message, cert, signed, algorithms)
            };
            direct.ok_or(error)
        })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A handshake's failure in words that users of libpq know.
pub(super) fn explain(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "SSL SYSCALL error: EOF detected".to_owned();
    }
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(CertificateError::Other(other)))
            if other.0.is::<io::Error>() =>
        {
            other.0.to_string()
        }
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "SSL error: certificate verify failed: unknown issuer".to_owned()
        }
        Some(Error::InvalidCertificate(why)) => {
            format!("SSL error: certificate verify failed: {why}")
        }
        Some(other) => format!("SSL error: {other}"),
        None => format!("SSL SYSCALL error: {}", super::socket::text_of(error)),
    }
}
