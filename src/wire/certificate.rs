//! What is read in a server's certificate: the hash that binds a channel, the names it is for, and trust in the
//! two cases that webpki does not know (the certificate itself is the root; X.509 v1 signed by a root).
#![forbid(unsafe_code)]

use rustls::DigitallySignedStruct;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::net::IpAddr;
use x509_cert::certificate::{Certificate, Version};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};
use x509_cert::spki::AlgorithmIdentifierOwned;

type Algorithms<'a> = &'a [&'static dyn SignatureVerificationAlgorithm];

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The certificate's hash for tls-server-end-point (RFC 5929): by the hash of its signature, SHA-256 in place of
/// the weak ones. `None` for signatures without a hash of their own.
pub(super) fn end_point_hash(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let algorithm = &certificate.signature_algorithm;
    let hash = match algorithm.oid.to_string().as_str() {
        // RSASSA-PSS names its hash in the parameters.
        "1.2.840.113549.1.1.10" => pss_hash(algorithm)?,
        oid => hash_of(oid)?,
    };
    Some(match hash {
        224 => Sha224::digest(der).to_vec(),
        384 => Sha384::digest(der).to_vec(),
        512 => Sha512::digest(der).to_vec(),
        _ => Sha256::digest(der).to_vec(),
    })
}

fn hash_of(signature_oid: &str) -> Option<u32> {
    match signature_oid {
        // MD5 and SHA-1, with RSA, DSA and ECDSA; then SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10040.4.3"
        | "1.2.840.10045.4.1" => Some(256),
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" | "2.16.840.1.101.3.4.3.2" => Some(256),
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" | "2.16.840.1.101.3.4.3.1" => Some(224),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(512),
        _ => None,
    }
}

fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<u32> {
    let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
    // The hash's OID, 2.16.840.1.101.3.4.2.n; without one it is SHA-1, which counts as SHA-256.
    let prefix = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let at = parameters.windows(prefix.len()).position(|bytes| bytes == prefix);
    match at.and_then(|at| parameters.get(at + prefix.len())) {
        Some(2) => Some(384),
        Some(3) => Some(512),
        Some(4) => Some(224),
        _ => Some(256),
    }
}

/// Whether the certificate is for `host`, by libpq's rules: a name or an address among the alternative names;
/// the common name only where those hold none of the kind.
pub(super) fn matches_host(der: &[u8], host: &str) -> bool {
    let Ok(certificate) = Certificate::from_der(der) else { return false };
    let address: Option<IpAddr> = host.parse().ok();
    let mut look_at_common_name = true;
    for name in alternative_names(&certificate) {
        match name {
            GeneralName::DnsName(name) => {
                look_at_common_name &= address.is_some();
                if is_match(name.as_str(), host) {
                    return true;
                }
            }
            GeneralName::IpAddress(bytes) => {
                look_at_common_name &= address.is_none();
                let same = match address {
                    Some(IpAddr::V4(ip)) => bytes.as_bytes() == ip.octets(),
                    Some(IpAddr::V6(ip)) => bytes.as_bytes() == ip.octets(),
                    None => false,
                };
                if same {
                    return true;
                }
            }
            _ => {}
        }
    }
    look_at_common_name && common_name(&certificate).is_some_and(|name| is_match(&name, host))
}

/// The name to call the certificate by in messages.
pub(super) fn first_name(der: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(der).ok()?;
    let name = alternative_names(&certificate).into_iter().find_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    });
    name.or_else(|| common_name(&certificate))
}

fn alternative_names(certificate: &Certificate) -> Vec<GeneralName> {
    match certificate.tbs_certificate.get::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0,
        _ => Vec::new(),
    }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let mut attributes = certificate.tbs_certificate.subject.0.iter().flat_map(|rdn| rdn.0.iter());
    let found = attributes.find(|attribute| attribute.oid == COMMON_NAME)?;
    String::from_utf8(found.value.value().to_vec()).ok()
}

/// Equal without regard to case, or `*.` and one label more.
fn is_match(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return !host.is_empty();
    }
    let (Some(tail), Some((label, rest))) = (pattern.strip_prefix("*."), host.split_once('.'))
    else {
        return false;
    };
    !tail.is_empty() && !label.is_empty() && tail.eq_ignore_ascii_case(rest)
}

/// Whether the certificate is one of the `trusted`, or of version 1 and signed by one of them; and valid now.
pub(super) fn is_trusted(
    der: &CertificateDer<'_>,
    trusted: &[CertificateDer<'_>],
    now: UnixTime,
    algorithms: Algorithms<'_>,
) -> bool {
    let Ok(certificate) = Certificate::from_der(der) else { return false };
    let validity = certificate.tbs_certificate.validity;
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs()
        || now > validity.not_after.to_unix_duration().as_secs()
    {
        return false;
    }
    if trusted.iter().any(|root| root.as_ref() == der.as_ref()) {
        return true;
    }
    certificate.tbs_certificate.version == Version::V1
        && trusted.iter().filter_map(|root| Certificate::from_der(root).ok()).any(|root| {
            root.tbs_certificate.subject == certificate.tbs_certificate.issuer
                && is_authority(&root)
                && is_signed_by(&certificate, &root, algorithms)
        })
}

fn is_authority(root: &Certificate) -> bool {
    match root.tbs_certificate.get::<BasicConstraints>() {
        Ok(Some((_, constraints))) => constraints.ca,
        Ok(None) => root.tbs_certificate.version == Version::V1,
        Err(_) => false,
    }
}

fn is_signed_by(certificate: &Certificate, root: &Certificate, algorithms: Algorithms<'_>) -> bool {
    let (Ok(signed), Some(wanted)) =
        (certificate.tbs_certificate.to_der(), identifier(&certificate.signature_algorithm))
    else {
        return false;
    };
    let Some(signature) = certificate.signature.as_bytes() else { return false };
    let fitting: Vec<_> = algorithms
        .iter()
        .filter(|algorithm| algorithm.signature_alg_id().as_ref() == wanted)
        .copied()
        .collect();
    verify(root, &signed, signature, &fitting)
}

/// The signature of a handshake by a certificate that webpki cannot read (version 1).
pub(super) fn verify_handshake(
    message: &[u8],
    der: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<HandshakeSignatureValid> {
    let certificate = Certificate::from_der(der).ok()?;
    if certificate.tbs_certificate.version != Version::V1 {
        return None;
    }
    let (_, fitting) = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme)?;
    verify(&certificate, message, signed.signature(), fitting)
        .then(HandshakeSignatureValid::assertion)
}

/// Whether the key of `signer` has signed `message`, by one of `algorithms`.
fn verify(
    signer: &Certificate,
    message: &[u8],
    signature: &[u8],
    algorithms: Algorithms<'_>,
) -> bool {
    let key = &signer.tbs_certificate.subject_public_key_info;
    let (Some(kind), Some(bytes)) = (identifier(&key.algorithm), key.subject_public_key.as_bytes())
    else {
        return false;
    };
    algorithms.iter().any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == kind
            && algorithm.verify_signature(bytes, message, signature).is_ok()
    })
}

/// An algorithm identifier as webpki compares it: DER without the outer SEQUENCE's header.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let der = algorithm.to_der().ok()?;
    match der.get(1)? {
        length if *length < 0x80 => der.get(2..).map(<[u8]>::to_vec),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{end_point_hash, is_match, matches_host};

    #[test]
    fn names() {
        assert!(is_match("db1.Example.com", "DB1.example.com"));
        assert!(is_match("*.example.com", "db1.example.com"));
        for (pattern, host) in [
            ("*.example.com", "a.b.example.com"),
            ("*.example.com", "example.com"),
            ("*.example.com", ".example.com"),
            ("*.", "x."),
            ("*", "x"),
            ("d*.example.com", "db.example.com"),
            ("", ""),
        ] {
            assert!(!is_match(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        for bytes in [&b""[..], b"\x30", b"\x30\x82\xff\xff", &[0x30; 200]] {
            assert_eq!(end_point_hash(bytes), None);
            assert!(!matches_host(bytes, "h"));
        }
    }
}
