//! The connection service file (`service=`, PGSERVICEFILE, `~/.pg_service.conf`).
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

/// The keywords of a service; from the user's file, else from the system's (PGSYSCONFDIR).
pub(super) fn load(
    service: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, String> {
    let own = env("PGSERVICEFILE").map(PathBuf::from);
    let home = env("HOME").map(|home| Path::new(&home).join(".pg_service.conf"));
    let system = env("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    let files = [own.or(home), Some(Path::new(&system).join("pg_service.conf"))];
    for file in files.into_iter().flatten() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if let Some(found) = section(&text, service).map_err(|line| {
            format!("syntax error in service file \"{}\", line {line}", file.display())
        })? {
            return Ok(found);
        }
    }
    Err(format!("definition of service \"{service}\" not found"))
}

/// The section `[service]` of a service file. Err is the number of a malformed line in it.
fn section(text: &str, service: &str) -> Result<Option<Vec<(String, String)>>, usize> {
    let mut found: Option<Vec<(String, String)>> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if name.strip_suffix(']') == Some(service) {
                found = Some(Vec::new());
            }
        } else if let Some(pairs) = &mut found {
            let (keyword, value) = line.split_once('=').ok_or(number + 1)?;
            if keyword == "service" {
                return Err(number + 1);
            }
            if !pairs.iter().any(|(have, _)| have == keyword) {
                pairs.push((keyword.to_owned(), value.to_owned()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn sections() {
        let text = "# x\n[a]\nhost=h1\n\n[b]\nhost=h2\nport=7\nhost=later\n[c]\nbad\n";
        let pairs = section(text, "b").unwrap().unwrap();
        assert_eq!(pairs, [("host".into(), "h2".into()), ("port".into(), "7".into())]);
        assert_eq!(section(text, "d"), Ok(None));
        assert_eq!(section(text, "c"), Err(10));
    }
}
