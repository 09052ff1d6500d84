//! libpq's keywords: which there are, and where their values come from when they are not given.
#![forbid(unsafe_code)]

use super::service;
use std::collections::HashMap;

/// Keyword and the environment variable that stands in for it.
const KEYWORDS: &[(&str, &str)] = &[
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("client_encoding", ""),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("fallback_application_name", ""),
    ("gssdelegation", ""),
    ("gssencmode", "PGGSSENCMODE"),
    ("gsslib", ""),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("keepalives", ""),
    ("keepalives_count", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("krbsrvname", ""),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("max_protocol_version", ""),
    ("min_protocol_version", ""),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("replication", ""),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("requiressl", ""),
    ("scram_client_key", ""),
    ("scram_server_key", ""),
    ("service", "PGSERVICE"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("sslcert", "PGSSLCERT"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslcompression", ""),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslkey", "PGSSLKEY"),
    ("sslkeylogfile", ""),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslpassword", ""),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslsni", "PGSSLSNI"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("tcp_user_timeout", ""),
    ("user", "PGUSER"),
];

/// Keywords whose wish cannot be met, and must not be passed over in silence.
const UNSUPPORTED: &[&str] = &["requirepeer", "sslcrldir"];

/// The values given; an empty value counts as not given, as in libpq.
pub(super) struct Given {
    values: HashMap<String, String>,
    explicit: Vec<String>,
}

impl Given {
    /// The keywords in `options`, then those of the service, then the environment's.
    pub(super) fn collect(
        options: &[(String, String)],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Given, String> {
        let mut given = Given { values: HashMap::new(), explicit: Vec::new() };
        for (keyword, value) in options {
            if !is_known(keyword) {
                return Err(format!("invalid connection option \"{keyword}\""));
            }
            if value.contains('\0') {
                return Err(format!("connection option \"{keyword}\" contains a NUL character"));
            }
            if !value.is_empty() {
                given.values.insert(keyword.clone(), value.clone());
                given.explicit.push(keyword.clone());
            }
        }
        let service = given.get("service").map(str::to_owned).or_else(|| env("PGSERVICE"));
        if let Some(service) = service.filter(|name| !name.is_empty()) {
            for (keyword, value) in service::load(&service, env)? {
                if !is_known(&keyword) {
                    return Err(format!(
                        "syntax error in service file: unknown option \"{keyword}\""
                    ));
                }
                given.values.entry(keyword).or_insert(value);
            }
        }
        for (keyword, variable) in KEYWORDS {
            if variable.is_empty() || given.values.contains_key(*keyword) {
                continue;
            }
            if let Some(value) = env(variable).filter(|value| !value.is_empty()) {
                given.values.insert((*keyword).to_owned(), value);
            }
        }
        for keyword in UNSUPPORTED {
            if given.get(keyword).is_some() {
                return Err(format!("connection option \"{keyword}\" is not supported"));
            }
        }
        if given.take("sslnegotiation").is_some_and(|how| how != "postgres") {
            return Err("sslnegotiation other than \"postgres\" is not supported".to_owned());
        }
        Ok(given)
    }

    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn take(&mut self, keyword: &str) -> Option<String> {
        self.values.remove(keyword).filter(|value| !value.is_empty())
    }

    pub(super) fn was_explicit(&self, keyword: &str) -> bool {
        self.explicit.iter().any(|have| have == keyword)
    }

    pub(super) fn integer(&mut self, keyword: &str) -> Result<Option<i64>, String> {
        let Some(text) = self.take(keyword) else { return Ok(None) };
        match text.trim().parse::<i32>() {
            Ok(number) => Ok(Some(i64::from(number))),
            Err(_) => {
                Err(format!("invalid integer value \"{text}\" for connection option \"{keyword}\""))
            }
        }
    }
}

fn is_known(keyword: &str) -> bool {
    KEYWORDS.iter().any(|(known, _)| *known == keyword)
}
