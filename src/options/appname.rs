//! Escapes in application names.
#![forbid(unsafe_code)]

/// What the escapes stand for.
pub struct Values<'a> {
    /// `%a`: this session's application_name.
    pub application_name: &'a str,
    /// `%C`: cluster_name.
    pub cluster_name: &'a str,
    /// `%d`: this session's database.
    pub database: &'a str,
    /// `%u`: this session's user.
    pub user: &'a str,
    /// Start of this session, seconds since 1970; with the process id it makes `%c`.
    pub started: i64,
    /// `%p`: this backend's process id.
    pub pid: i32,
}

/// `template` with its escapes replaced; unknown ones are left out, as postgres_fdw does.
pub fn expand(template: &str, values: &Values<'_>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('%') => out.push('%'),
            Some('a') => out.push_str(values.application_name),
            Some('c') => out.push_str(&format!("{:x}.{:x}", values.started, values.pid)),
            Some('C') => out.push_str(values.cluster_name),
            Some('d') => out.push_str(values.database),
            Some('p') => out.push_str(&values.pid.to_string()),
            Some('u') => out.push_str(values.user),
            Some(_) | None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let values = Values {
            application_name: "psql",
            cluster_name: "main",
            database: "db",
            user: "me",
            started: 0x65f0_0000,
            pid: 255,
        };
        let expand = |template| expand(template, &values);
        assert_eq!(expand("%a/%C/%d/%u/%p"), "psql/main/db/me/255");
        assert_eq!(expand("%c"), "65f00000.ff");
        assert_eq!(expand("100%% %x%"), "100% ");
        assert_eq!(expand(""), "");
    }
}
