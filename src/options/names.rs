//! Lists of SQL identifiers in an option's value, read as PostgreSQL's SplitIdentifierString does.
#![forbid(unsafe_code)]

/// PostgreSQL's longest identifier in bytes.
const MAX_BYTES: usize = 63;

/// The identifiers in `list`, separated by commas: unquoted ones in lower case, quoted ones as they are.
/// `None` when it is no such list.
pub fn split(list: &str) -> Option<Vec<String>> {
    let mut rest = list.trim_start_matches(is_space);
    let mut names = Vec::new();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
            read_quoted(quoted)?
        } else {
            let end = rest.find(|c: char| c == ',' || is_space(c)).unwrap_or(rest.len());
            (rest[..end].to_ascii_lowercase(), &rest[end..])
        };
        if name.is_empty() {
            return None;
        }
        names.push(truncate(name));
        let after = after.trim_start_matches(is_space);
        if after.is_empty() {
            return Some(names);
        }
        rest = after.strip_prefix(',')?.trim_start_matches(is_space);
    }
}

fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

fn truncate(mut name: String) -> String {
    let mut end = name.len().min(MAX_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::split;

    fn names(list: &str) -> Option<Vec<String>> {
        split(list)
    }

    #[test]
    fn lists() {
        assert_eq!(names("").unwrap(), Vec::<String>::new());
        assert_eq!(names(" Cube , hstore").unwrap(), ["cube", "hstore"]);
        assert_eq!(names("\"My \"\"Ext\",x").unwrap(), ["My \"Ext", "x"]);
    }

    #[test]
    fn not_lists() {
        for bad in ["a,", ",a", "a b", "\"a", "\"\"", "a,,b", ","] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = "ä".repeat(40);
        assert_eq!(names(&long).unwrap(), ["ä".repeat(31)]);
    }
}
