//! The keywords with which a connection is made, put together from what is set where.
#![forbid(unsafe_code)]

use crate::options::parse;

/// Application name when none is set, so that the server's people can find the backend here.
pub const DEFAULT_APPLICATION_NAME: &str = "shard_fdw/%d/%p";

/// The keywords of a server overlaid with those of a user mapping: each keyword once.
///
/// The application name is the first of `shard_fdw.application_name` (`setting`), the server's and the default
/// that is not empty after `expand` has replaced its escapes.
pub fn compose(
    server: &[(String, String)],
    mapping: &[(String, String)],
    setting: Option<&str>,
    encoding: &str,
    expand: impl Fn(&str) -> String,
) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(server.len() + mapping.len() + 2);
    let to_pass = |name: &str| name != APPLICATION_NAME && name != PASSTHROUGH;
    for (name, value) in server.iter().chain(mapping).filter(|(name, _)| to_pass(name)) {
        match out.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(value),
            None => out.push((name.clone(), value.clone())),
        }
    }
    let of_server = server.iter().find(|(name, _)| name == APPLICATION_NAME);
    let candidates =
        [setting, of_server.map(|(_, value)| value.as_str()), Some(DEFAULT_APPLICATION_NAME)];
    if let Some(name) =
        candidates.into_iter().flatten().map(expand).find(|expanded| !expanded.is_empty())
    {
        out.push((APPLICATION_NAME.to_owned(), name));
    }
    out.push(("client_encoding".to_owned(), encoding.to_owned()));
    out
}

/// Keeps the default client certificate of the operating-system user that runs this server from being shown.
/// His password file needs no care: a user who must be restricted has given a password.
pub fn restrict(keywords: &mut Vec<(String, String)>) {
    let is_set = |wanted: &str| keywords.iter().any(|(name, _)| name == wanted);
    if !is_set("sslcert") && !is_set("sslcertmode") {
        keywords.push(("sslcertmode".to_owned(), "disable".to_owned()));
    }
}

/// Whether the keys of the client's SCRAM log-in are to be used; what the mapping says goes before the server's word.
pub fn passes_scram(server: &[(String, String)], mapping: &[(String, String)]) -> bool {
    let of = |options: &[(String, String)]| {
        let found = options.iter().find(|(name, _)| name == PASSTHROUGH);
        found.map(|(_, value)| !parse::is_off(value))
    };
    of(mapping).or_else(|| of(server)).unwrap_or(false)
}

const PASSTHROUGH: &str = "use_scram_passthrough";

const APPLICATION_NAME: &str = "application_name";

#[cfg(test)]
mod tests {
    use super::*;

    fn list(options: &[(&str, &str)]) -> Vec<(String, String)> {
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_mapping_wins() {
        let server = list(&[("host", "a"), ("sslcert", "x")]);
        let mapping = list(&[("user", "me"), ("sslcert", "y")]);
        let all = compose(&server, &mapping, None, "UTF8", |_| "app".to_owned());
        let expected = list(&[
            ("host", "a"),
            ("sslcert", "y"),
            ("user", "me"),
            ("application_name", "app"),
            ("client_encoding", "UTF8"),
        ]);
        assert_eq!(all, expected);
    }

    #[test]
    fn the_default_certificate_is_for_trusted_users() {
        let mut plain = list(&[("user", "me")]);
        restrict(&mut plain);
        assert_eq!(plain, list(&[("user", "me"), ("sslcertmode", "disable")]));
        let mut given = list(&[("sslcert", "x")]);
        restrict(&mut given);
        assert_eq!(given, list(&[("sslcert", "x")]));
    }

    #[test]
    fn application_names() {
        let named = list(&[("application_name", "of server")]);
        let name = |server: &[(String, String)], setting| {
            let all = compose(server, &[], setting, "UTF8", |name| name.replace("%x", ""));
            all.into_iter().find(|(name, _)| name == APPLICATION_NAME).unwrap().1
        };
        assert_eq!(name(&named, Some("set")), "set");
        assert_eq!(name(&named, Some("%x")), "of server");
        assert_eq!(name(&named, None), "of server");
        assert_eq!(name(&[], None), DEFAULT_APPLICATION_NAME);
    }
}
