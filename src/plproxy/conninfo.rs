//! Connection strings: libpq's `key=value` form and its URIs, to keywords and values.
//!
//! Which keywords there are and what they mean is the wire's business. Messages are libpq's.
#![forbid(unsafe_code)]

/// Keywords and values, in the order written.
pub type Keywords = Vec<(String, String)>;

/// Reads `text`.
pub fn parse(text: &str) -> Result<Keywords, String> {
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => uri(rest),
        None => pairs(text),
    }
}

/// The value of `key`; the last one counts, as in libpq.
pub fn get<'a>(keywords: &'a [(String, String)], key: &str) -> Option<&'a str> {
    keywords.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
}

fn pairs(text: &str) -> Result<Keywords, String> {
    let mut out = Keywords::new();
    let mut rest = text.trim_start_matches(blank);
    while !rest.is_empty() {
        let end = rest.find(|c| c == '=' || blank(c)).unwrap_or(rest.len());
        let key = &rest[..end];
        rest = rest[end..].trim_start_matches(blank);
        let Some(behind) = rest.strip_prefix('=') else {
            return Err(format!("missing \"=\" after \"{key}\" in connection info string"));
        };
        let (value, behind) = value(behind.trim_start_matches(blank))?;
        out.push((key.to_owned(), value));
        rest = behind.trim_start_matches(blank);
    }
    Ok(out)
}

/// A value, quoted or not, and what follows it.
fn value(text: &str) -> Result<(String, &str), String> {
    let quoted = text.starts_with('\'');
    let mut out = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => out.extend(characters.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((out, &text[at + 1..])),
            c if !quoted && blank(c) => return Ok((out, &text[at..])),
            c => out.push(c),
        }
    }
    if quoted {
        return Err("unterminated quoted string in connection info string".to_owned());
    }
    Ok((out, ""))
}

fn uri(rest: &str) -> Result<Keywords, String> {
    let mut out = Keywords::new();
    let (rest, parameters) = rest.split_once('?').map_or((rest, ""), |(a, b)| (a, b));
    let (authority, database) = rest.split_once('/').map_or((rest, ""), |(a, b)| (a, b));
    let (login, hosts) = authority.rsplit_once('@').map_or(("", authority), |(a, b)| (a, b));
    let (user, password) = login.split_once(':').map_or((login, ""), |(a, b)| (a, b));
    let mut put = |key: &str, value: &str| -> Result<(), String> {
        if !value.is_empty() {
            // Passwords are not shown.
            let hide = |error: String| match key {
                "password" => "invalid percent-encoded token in the password".to_owned(),
                _ => error,
            };
            out.push((decode(key)?, decode(value).map_err(hide)?));
        }
        Ok(())
    };
    put("user", user)?;
    put("password", password)?;
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(inner) => {
                let (name, behind) = inner.split_once(']').ok_or_else(|| {
                    format!(
                        "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"{host}\""
                    )
                })?;
                (name, behind.strip_prefix(':').unwrap_or(""))
            }
            None => host.split_once(':').map_or((host, ""), |(a, b)| (a, b)),
        };
        names.push(name);
        ports.push(port);
    }
    if names.iter().any(|name| !name.is_empty()) {
        put("host", &names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        put("port", &ports.join(","))?;
    }
    put("dbname", database)?;
    for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
        let Some((key, value)) = parameter.split_once('=') else {
            return Err(format!(
                "missing key/value separator \"=\" in URI query parameter: \"{parameter}\""
            ));
        };
        match (key, value) {
            ("ssl", "true") => put("sslmode", "require")?,
            _ => put(key, value)?,
        }
    }
    Ok(out)
}

fn decode(text: &str) -> Result<String, String> {
    let invalid = || format!("invalid percent-encoded token: \"{text}\"");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = behind;
            continue;
        }
        let digits =
            behind.get(..2).and_then(|d| std::str::from_utf8(d).ok()).ok_or_else(invalid)?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| invalid())?;
        if byte == 0 {
            return Err(format!("forbidden value %00 in percent-encoded value: \"{text}\""));
        }
        bytes.push(byte);
        rest = &behind[2..];
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    fn own(pairs: &[(&str, &str)]) -> Keywords {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn keyword_form() {
        assert_eq!(
            ok(" host = a  dbname='x y' password='it\\'s' port=\tuser=b\\ c"),
            own(&[("host", "a"), ("dbname", "x y"), ("password", "it's"), ("port", "user=b c")])
        );
        assert_eq!(ok("dbname=''"), own(&[("dbname", "")]));
        assert_eq!(ok(""), []);
        assert_eq!(
            parse("foo").unwrap_err(),
            "missing \"=\" after \"foo\" in connection info string"
        );
        assert_eq!(
            parse("a='b").unwrap_err(),
            "unterminated quoted string in connection info string"
        );
        assert_eq!(get(&ok("user=a user=b"), "user"), Some("b"));
    }

    #[test]
    fn uri_form() {
        assert_eq!(
            ok("postgresql://me:p%40ss@h1:5433,[::1]/db%20x?application_name=a%26b&ssl=true"),
            own(&[
                ("user", "me"),
                ("password", "p@ss"),
                ("host", "h1,::1"),
                ("port", "5433,"),
                ("dbname", "db x"),
                ("application_name", "a&b"),
                ("sslmode", "require"),
            ])
        );
        assert_eq!(ok("postgres://"), []);
        assert_eq!(ok("postgres:///db"), own(&[("dbname", "db")]));
        assert!(parse("postgres://a%zz/").is_err());
        assert!(parse("postgres://a/b?c").is_err());
    }
}
