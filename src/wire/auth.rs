//! Authentication: what the server asks for, whether that is allowed, and the answer.
#![forbid(unsafe_code)]

use super::conninfo::{Password, Wish};
use super::message::Body;
use super::scram_keys::{Exchange, Keys};
use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::frontend;
use zeroize::Zeroizing;

/// One log-in.
pub(super) struct Authenticator<'a> {
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Password>,
    /// To be used instead of a password; then nothing but SCRAM will do.
    pub(super) keys: Option<&'a Keys>,
    /// The connection is under TLS.
    pub(super) tls: bool,
    /// The hash of the server's certificate (tls-server-end-point), where there is one.
    pub(super) end_point: Option<Vec<u8>>,
    pub(super) channel_binding: Wish,
    pub(super) require: Option<&'a str>,
    pub(super) used_password: bool,
    pub(super) scram: Option<Scram>,
    /// SCRAM has run to its end, and whether the channel was bound.
    pub(super) finished: Option<bool>,
    pub(super) bound: bool,
    /// Some method has been answered.
    pub(super) answered: bool,
}

impl Authenticator<'_> {
    /// Answers one authentication request; true when the server is content. Err is the message.
    pub(super) fn step(&mut self, body: &[u8], out: &mut BytesMut) -> Result<bool, String> {
        let mut body = Body::new(body);
        let kind = body.u32().ok_or("malformed authentication request from server")?;
        match kind {
            0 => self.accepted().map(|()| true),
            3 => {
                self.permit("password", "server requested a cleartext password")?;
                let password = self.password()?;
                send(frontend::password_message(password.as_bytes(), out))
            }
            5 => {
                self.permit("md5", "server requested a hashed password")?;
                let salt = body.bytes(4).and_then(|salt| salt.try_into().ok());
                let salt: [u8; 4] = salt.ok_or("malformed authentication request from server")?;
                let password = self.password()?;
                let hash = md5_hash(self.user.as_bytes(), password.as_bytes(), salt);
                send(frontend::password_message(Zeroizing::new(hash).as_bytes(), out))
            }
            10 => {
                self.permit("scram-sha-256", "server requested SASL authentication")?;
                self.begin_scram(body, out)
            }
            11 => {
                let scram = self.scram.as_mut().ok_or("unexpected SASL message from server")?;
                scram.update(body.rest()).map_err(|error| format!("SCRAM: {error}"))?;
                send(frontend::sasl_response(scram.message(), out))
            }
            12 => {
                let mut scram = self.scram.take().ok_or("unexpected SASL message from server")?;
                scram.finish(body.rest()).map_err(|error| format!("SCRAM: {error}"))?;
                self.finished = Some(self.bound);
                Ok(false)
            }
            7..=9 => Err("GSSAPI and SSPI authentication are not supported".to_owned()),
            other => Err(format!("authentication method {other} not supported")),
        }
    }

    fn begin_scram(&mut self, mut body: Body<'_>, out: &mut BytesMut) -> Result<bool, String> {
        let mut mechanisms = Vec::new();
        while let Some(name) = body.string().filter(|name| !name.is_empty()) {
            mechanisms.push(name);
        }
        let offers = |name: &str| mechanisms.iter().any(|have| have == name);
        let plus = self.tls && offers(SCRAM_SHA_256_PLUS) && self.channel_binding != Wish::Disable;
        // "y": this side could bind, and believes that the server cannot.
        let mut could_bind = false;
        match (&self.end_point, plus) {
            (Some(_), true) => self.bound = true,
            _ if self.channel_binding == Wish::Require => {
                return Err(
                    "channel binding is required, but the server did not offer an authentication \
                            method that supports channel binding"
                        .to_owned(),
                );
            }
            (Some(_), false) => {
                could_bind = self.tls && self.channel_binding != Wish::Disable;
            }
            _ => {}
        }
        let name = if self.bound { SCRAM_SHA_256_PLUS } else { SCRAM_SHA_256 };
        if !offers(name) {
            return Err(
                "none of the server's SASL authentication mechanisms are supported".to_owned()
            );
        }
        let end_point = self.end_point.as_ref().filter(|_| self.bound);
        let scram = if let Some(keys) = self.keys {
            self.used_password = true;
            let end_point = end_point.map(Vec::as_slice);
            Scram::Keys(Box::new(Exchange::new(keys.clone(), end_point, could_bind)?))
        } else {
            let binding = match end_point {
                Some(hash) => ChannelBinding::tls_server_end_point(hash.clone()),
                None if could_bind => ChannelBinding::unrequested(),
                None => ChannelBinding::unsupported(),
            };
            Scram::Password(Box::new(ScramSha256::new(self.password()?.as_bytes(), binding)))
        };
        let sent = send(frontend::sasl_initial_response(name, scram.message(), out));
        self.scram = Some(scram);
        sent
    }

    fn password(&mut self) -> Result<Zeroizing<String>, String> {
        match self.password {
            Some(password) if !password.text.is_empty() => {
                self.used_password = true;
                Ok(password.text.clone())
            }
            _ => Err("fe_sendauth: no password supplied".to_owned()),
        }
    }

    /// Refuses a method that `require_auth` or `channel_binding` exclude, before anything is sent.
    fn permit(&mut self, method: &str, asked: &str) -> Result<(), String> {
        self.answered = true;
        if self.channel_binding == Wish::Require && method != "scram-sha-256" {
            return Err(
                "channel binding required but not supported by server's authentication request"
                    .to_owned(),
            );
        }
        if self.keys.is_some() && method != "scram-sha-256" {
            return Err(format!("SCRAM pass-through cannot be used: {asked}"));
        }
        match self.require {
            Some(list) if !permits(list, method)? => {
                Err(format!("authentication method requirement \"{list}\" failed: {asked}"))
            }
            _ => Ok(()),
        }
    }

    fn accepted(&self) -> Result<(), String> {
        if self.scram.is_some() {
            return Err("server did not complete SCRAM authentication".to_owned());
        }
        if self.channel_binding == Wish::Require && self.finished != Some(true) {
            return Err(
                "channel binding required, but server authenticated client without channel \
                        binding"
                    .to_owned(),
            );
        }
        if self.keys.is_some() && self.finished.is_none() {
            return Err("SCRAM pass-through cannot be used: server requested nothing".to_owned());
        }
        match self.require {
            Some(list) if !self.answered && !permits(list, "none")? => Err(format!(
                "authentication method requirement \"{list}\" failed: server did not complete \
                 authentication"
            )),
            _ => Ok(()),
        }
    }
}

/// An exchange by a password or by keys.
pub(super) enum Scram {
    Password(Box<ScramSha256>),
    Keys(Box<Exchange>),
}

impl Scram {
    fn message(&self) -> &[u8] {
        match self {
            Scram::Password(scram) => scram.message(),
            Scram::Keys(exchange) => exchange.message(),
        }
    }

    fn update(&mut self, challenge: &[u8]) -> Result<(), String> {
        match self {
            Scram::Password(scram) => scram.update(challenge).map_err(|error| error.to_string()),
            Scram::Keys(exchange) => exchange.update(challenge),
        }
    }

    fn finish(&mut self, answer: &[u8]) -> Result<(), String> {
        match self {
            Scram::Password(scram) => scram.finish(answer).map_err(|error| error.to_string()),
            Scram::Keys(exchange) => exchange.finish(answer),
        }
    }
}

fn send(written: std::io::Result<()>) -> Result<bool, String> {
    written.map(|()| false).map_err(|error| format!("could not send the password: {error}"))
}

/// Whether the `require_auth` list admits `method`: a list of methods, or of methods to exclude ("!md5").
fn permits(list: &str, method: &str) -> Result<bool, String> {
    let mut listed = false;
    let mut negated = None;
    for item in list.split(',').map(str::trim) {
        let (name, not) = match item.strip_prefix('!') {
            Some(name) => (name, true),
            None => (item, false),
        };
        if !matches!(name, "password" | "md5" | "gss" | "sspi" | "scram-sha-256" | "none") {
            return Err(format!("invalid require_auth value: \"{list}\""));
        }
        if negated.is_some_and(|before| before != not) {
            return Err(format!(
                "require_auth method \"{item}\" cannot be mixed with {} methods",
                if not { "non-negative" } else { "negative" }
            ));
        }
        negated = Some(not);
        listed |= name == method;
    }
    Ok(listed != negated.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::permits;

    #[test]
    fn require_auth() {
        assert_eq!(permits("scram-sha-256", "scram-sha-256"), Ok(true));
        assert_eq!(permits("scram-sha-256,md5", "password"), Ok(false));
        assert_eq!(permits("!password, !md5", "md5"), Ok(false));
        assert_eq!(permits("!password", "none"), Ok(true));
        assert!(permits("!password,md5", "md5").is_err());
        assert!(permits("kerberos", "md5").is_err());
    }
}
