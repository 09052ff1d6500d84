//! SCRAM-SHA-256 (RFC 5802, 7677) by the keys of the user's secret, without the password they were made of.
//!
//! Both come from a log-in of the user's own at this server, and fit where the other server keeps the same secret: the
//! same salt and iterations, which the exchange does not show.
#![forbid(unsafe_code)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// ClientKey and ServerKey.
#[derive(Clone)]
pub(super) struct Keys {
    client: Zeroizing<[u8; 32]>,
    server: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Both in base64, as libpq's keywords take them.
    pub(super) fn parse(client: &str, server: &str) -> Result<Keys, String> {
        let key = |text: &str, keyword: &str| {
            let bytes = STANDARD.decode(text).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| format!("invalid SCRAM key in \"{keyword}\""))?;
            let key = <[u8; 32]>::try_from(bytes.as_slice());
            key.map(Zeroizing::new).map_err(|_| format!("invalid length of \"{keyword}\""))
        };
        Ok(Keys {
            client: key(client, "scram_client_key")?,
            server: key(server, "scram_server_key")?,
        })
    }
}

/// One exchange.
pub(super) struct Exchange {
    keys: Keys,
    /// What the first message says of the channel, and with its data what the last one does.
    header: Vec<u8>,
    binding: Vec<u8>,
    nonce: String,
    message: Vec<u8>,
    /// What both sides sign, when it is complete.
    signed: String,
}

impl Exchange {
    /// `end_point` is the hash of the server's certificate when the channel is bound; `could_bind` tells a server that
    /// does not offer it that this side could.
    pub(super) fn new(
        keys: Keys,
        end_point: Option<&[u8]>,
        could_bind: bool,
    ) -> Result<Exchange, String> {
        let mut random = [0; 18];
        let source = ring::default_provider().secure_random;
        source.fill(&mut random).map_err(|_| "no random numbers for SCRAM")?;
        let header: &[u8] = match (end_point, could_bind) {
            (Some(_), _) => b"p=tls-server-end-point,,",
            (None, true) => b"y,,",
            (None, false) => b"n,,",
        };
        let nonce = STANDARD.encode(random);
        let message = [header, b"n=,r=", nonce.as_bytes()].concat();
        let binding = [header, end_point.unwrap_or_default()].concat();
        Ok(Exchange {
            keys,
            header: header.to_vec(),
            binding,
            nonce,
            message,
            signed: String::new(),
        })
    }

    /// What to send next.
    pub(super) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The server's challenge: makes the proof.
    pub(super) fn update(&mut self, challenge: &[u8]) -> Result<(), String> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| "malformed challenge")?;
        let mut parts = challenge.split(',');
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        let nonce = nonce.ok_or("malformed challenge")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("invalid nonce".to_owned());
        }
        let first = String::from_utf8_lossy(&self.message[self.header.len()..]).into_owned();
        let last = format!("c={},r={nonce}", STANDARD.encode(&self.binding));
        self.signed = format!("{first},{challenge},{last}");
        let proof = proof(&self.keys.client, self.signed.as_bytes());
        self.message = format!("{last},p={}", STANDARD.encode(proof)).into_bytes();
        Ok(())
    }

    /// The server's last word: whether it knows the secret as well.
    pub(super) fn finish(&self, answer: &[u8]) -> Result<(), String> {
        let answer = std::str::from_utf8(answer).map_err(|_| "malformed answer")?;
        if let Some(error) = answer.strip_prefix("e=") {
            return Err(format!("server error: {error}"));
        }
        let signature = answer.split(',').next().and_then(|part| part.strip_prefix("v="));
        let signature = signature.and_then(|text| STANDARD.decode(text).ok());
        let expected = hmac(&self.keys.server, self.signed.as_bytes());
        // Not secret any more, and of no use to who could time it.
        if signature.as_deref() != Some(expected.as_slice()) || self.signed.is_empty() {
            return Err("incorrect server signature".to_owned());
        }
        Ok(())
    }
}

/// ClientProof: ClientKey XOR HMAC(H(ClientKey), what is signed).
fn proof(client: &[u8; 32], signed: &[u8]) -> [u8; 32] {
    let stored: [u8; 32] = Sha256::digest(client).into();
    let mut proof = hmac(&stored, signed);
    for (byte, key) in proof.iter_mut().zip(client) {
        *byte ^= key;
    }
    proof
}

fn hmac(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = Zeroizing::new([byte; 64]);
        block.iter_mut().zip(key).for_each(|(to, key)| *to ^= key);
        block
    };
    let inner = Sha256::new().chain_update(*pad(0x36)).chain_update(data).finalize();
    Sha256::new().chain_update(*pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange that RFC 7677 shows: user "user", password "pencil".
    #[test]
    fn the_example_of_the_standard() {
        // PBKDF2 of a password shorter than a block, one block of output.
        let mut password = [0; 32];
        password[..6].copy_from_slice(b"pencil");
        let mut salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        salt.extend([0, 0, 0, 1]);
        let mut round = hmac(&password, &salt);
        let mut salted = round;
        for _ in 1..4096 {
            round = hmac(&password, &round);
            salted.iter_mut().zip(round).for_each(|(to, from)| *to ^= from);
        }
        let keys = Keys {
            client: Zeroizing::new(hmac(&salted, b"Client Key")),
            server: Zeroizing::new(hmac(&salted, b"Server Key")),
        };
        let mut exchange = Exchange::new(keys, None, false).unwrap();
        exchange.nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        exchange.message = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO".to_vec();
        exchange
            .update(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(exchange.message()),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(exchange.finish(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        assert!(exchange.finish(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
    }

    #[test]
    fn a_server_cannot_choose_the_nonce() {
        let zero = STANDARD.encode([0; 32]);
        let mut exchange = Exchange::new(Keys::parse(&zero, &zero).unwrap(), None, true).unwrap();
        assert!(exchange.update(b"r=other,s=AAAA,i=1").is_err());
        let same = format!("r={},s=AAAA,i=1", exchange.nonce);
        assert!(exchange.update(same.as_bytes()).is_err());
        assert!(exchange.finish(b"v=").is_err());
        assert!(Keys::parse(&zero, "AAAA").is_err());
    }
}
