//! The password file: `hostname:port:database:username:password`, `*` matches anything, `\` escapes.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Looks the password up. A file that others can read is ignored, as libpq does.
pub(super) fn look_up(
    file: &Path,
    host: &str,
    port: u16,
    dbname: &str,
    user: &str,
) -> Option<Zeroizing<String>> {
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o077 != 0 {
        return None;
    }
    let text = Zeroizing::new(fs::read_to_string(file).ok()?);
    find(&text, [host, &port.to_string(), dbname, user])
}

fn find(text: &str, wanted: [&str; 4]) -> Option<Zeroizing<String>> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line.trim_end_matches('\r');
        for token in wanted {
            rest = matching(rest, token)?;
        }
        Some(Zeroizing::new(unescape(rest)))
    })
}

/// What follows the first field of `line`, if the field matches `token`.
fn matching<'a>(line: &'a str, token: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let mut wanted = token.chars();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            ':' => return wanted.next().is_none().then(|| &line[at + 1..]),
            '\\' => chars.next()?.1,
            c => c,
        };
        if wanted.next() != Some(c) {
            return None;
        }
    }
    None
}

fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Option<String> {
        find(text, ["db1.example", "5432", "sh:op", "al\\ice"]).map(|found| found.to_string())
    }

    #[test]
    fn exact_wildcard_and_escapes() {
        assert_eq!(
            password("db1.example:5432:sh\\:op:al\\\\ice:se\\:c\\\\ret"),
            Some("se:c\\ret".into())
        );
        assert_eq!(password("*:*:*:*:x"), Some("x".into()));
        assert_eq!(password("db1.example:*:*:al\\\\ice:"), Some(String::new()));
        assert_eq!(password("# *:*:*:*:x\nother:*:*:*:y\n*:5432:*:*:a:b\n"), Some("a:b".into()));
    }

    #[test]
    fn what_does_not_match() {
        for line in [
            "",
            "*",
            "*:*:*:*",
            "db1.example:5432:shop:al\\\\ice:x",
            "db1.exampl:*:*:*:x",
            "db1.example2:*:*:*:x",
            "*x:*:*:*:x",
            "db1.example\\",
        ] {
            assert_eq!(password(line), None, "{line}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_ignored() {
        let file = std::env::temp_dir().join(format!("shard_fdw_pass_{}", std::process::id()));
        fs::write(&file, "*:*:*:*:secret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(look_up(&file, "h", 1, "d", "u").is_none());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(look_up(&file, "h", 1, "d", "u").map(|p| p.to_string()), Some("secret".into()));
        fs::remove_file(&file).unwrap();
        assert!(look_up(&file, "h", 1, "d", "u").is_none());
    }
}
