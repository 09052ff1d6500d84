//! How a database orders and classifies text: its encoding, and the provider, name and version of its default collation.
//!
//! Two databases order text alike when all of that is the same: a name alone does not say much, since libraries change
//! what they mean by it. So a server is asked right after log-in, behind the session's settings and without waiting
//! for the answer, what PostgreSQL says of the version that it really uses.
#![forbid(unsafe_code)]

use crate::wire::Reply;

/// What the order of text on a server must have in common with the order here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Nothing.
    #[default]
    Nothing,
    /// The encoding: `COLLATE "C"` compares bytes.
    Encoding,
    /// The default collation, too.
    Collation,
}

impl Likeness {
    /// As a number, for plans.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// Back from [`Likeness::number`].
    pub fn from_number(number: i32) -> Likeness {
        match number {
            0 => Likeness::Nothing,
            1 => Likeness::Encoding,
            _ => Likeness::Collation,
        }
    }
}

/// The query for servers from 15 on, and for this one. Its columns are those of [`Locale`].
pub const QUERY: &str = "SELECT pg_catalog.pg_encoding_to_char(d.encoding), \
     pg_catalog.jsonb_extract_path_text(j, 'datlocprovider'), d.datcollate, d.datctype, \
     COALESCE(pg_catalog.jsonb_extract_path_text(j, 'datlocale'), \
     pg_catalog.jsonb_extract_path_text(j, 'daticulocale')), \
     pg_catalog.jsonb_extract_path_text(j, 'daticurules'), \
     pg_catalog.pg_database_collation_actual_version(d.oid) \
     FROM pg_catalog.pg_database d, LATERAL pg_catalog.to_jsonb(d) j \
     WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

/// Before 15 a database's collation is the C library's, and since 13 that tells its version: any collation of it will do.
const QUERY_13: &str = "SELECT pg_catalog.pg_encoding_to_char(d.encoding), 'c', d.datcollate, \
     d.datctype, NULL, NULL, (SELECT pg_catalog.pg_collation_actual_version(c.oid) \
     FROM pg_catalog.pg_collation c WHERE c.collprovider OPERATOR(pg_catalog.=) 'c'::pg_catalog.\"char\" AND \
     c.collcollate::pg_catalog.text OPERATOR(pg_catalog.!~*) '^(C|POSIX)($|\\.)' LIMIT 1) \
     FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

const QUERY_OLD: &str = "SELECT pg_catalog.pg_encoding_to_char(d.encoding), 'c', d.datcollate, \
     d.datctype, NULL, NULL, NULL FROM pg_catalog.pg_database d \
     WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()";

/// The query for a server of this version.
pub fn query(version: i32) -> &'static str {
    match version {
        150_000.. => QUERY,
        130_000.. => QUERY_13,
        _ => QUERY_OLD,
    }
}

/// How a database orders text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locale {
    encoding: String,
    provider: String,
    collate: String,
    ctype: String,
    /// The name that providers other than the C library go by.
    name: Option<String>,
    rules: Option<String>,
    version: Option<String>,
}

impl Locale {
    /// From the one row of the query.
    pub fn from_row(row: &[Option<String>]) -> Option<Locale> {
        let [Some(encoding), Some(provider), collate, ctype, name, rules, version] = row else {
            return None;
        };
        Some(Locale {
            encoding: encoding.clone(),
            provider: provider.clone(),
            collate: plain_name(collate.as_deref()?),
            ctype: plain_name(ctype.as_deref()?),
            name: name.as_deref().map(|name| name.replace('_', "-").to_lowercase()),
            rules: rules.clone().filter(|rules| !rules.is_empty()),
            version: version.clone().filter(|version| !version.is_empty()),
        })
    }

    /// From a server's answer; `None` if it is not what was expected.
    pub fn from_reply(reply: &Reply) -> Option<Locale> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let row: Vec<_> = reply.fields(0).map(|field| field.map(text)).collect();
        Locale::from_row(&row)
    }

    /// How far text is ordered alike, for all that is known.
    pub fn likeness(&self, other: &Locale) -> Likeness {
        if self.encoding != other.encoding {
            Likeness::Nothing
        } else if self.has_collation_of(other) {
            Likeness::Collation
        } else {
            Likeness::Encoding
        }
    }

    fn has_collation_of(&self, other: &Locale) -> bool {
        if self.provider != other.provider || self.ctype != other.ctype {
            return false;
        }
        match self.provider.as_str() {
            "c" => {
                // Bytes, or code points, are compared: there is no version of that.
                let lasting = self.collate == "C" || self.collate.starts_with("C.");
                self.collate == other.collate
                    && (lasting || self.version.is_some() && self.version == other.version)
            }
            _ => {
                self.name.is_some()
                    && self.name == other.name
                    && self.rules == other.rules
                    && self.version.is_some()
                    && self.version == other.version
            }
        }
    }
}

/// A locale's name without what is told by the encoding: `en_US.UTF-8` is `en_US.utf8`, and `POSIX` is `C`.
fn plain_name(name: &str) -> String {
    let (name, modifier) = match name.split_once('@') {
        Some((name, modifier)) => (name, Some(modifier)),
        None => (name, None),
    };
    let (language, codeset) = match name.split_once('.') {
        Some((language, codeset)) => (language, Some(codeset)),
        None => (name, None),
    };
    let mut plain = match (language, codeset) {
        ("POSIX", None) => "C".to_owned(),
        // With a code set, C compares code points, and knows more letters.
        ("C", Some(_)) => "C.".to_owned(),
        _ => language.to_owned(),
    };
    if let Some(modifier) = modifier {
        plain.push('@');
        plain.push_str(modifier);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(row: [Option<&str>; 7]) -> Locale {
        Locale::from_row(&row.map(|field| field.map(str::to_owned))).unwrap_or_default()
    }

    fn libc(encoding: &str, name: &str, version: Option<&str>) -> Locale {
        locale([Some(encoding), Some("c"), Some(name), Some(name), None, None, version])
    }

    fn icu(name: &str, rules: Option<&str>, version: Option<&str>) -> Locale {
        locale([Some("UTF8"), Some("i"), Some("C"), Some("C"), Some(name), rules, version])
    }

    #[test]
    fn same_name_and_version() {
        let here = libc("UTF8", "en_US.UTF-8", Some("2.36"));
        assert_eq!(here.likeness(&libc("UTF8", "en_US.utf8", Some("2.36"))), Likeness::Collation);
        assert_eq!(here.likeness(&libc("UTF8", "en_US.utf8", Some("2.31"))), Likeness::Encoding);
        assert_eq!(here.likeness(&libc("UTF8", "de_DE.utf8", Some("2.36"))), Likeness::Encoding);
        assert_eq!(here.likeness(&libc("LATIN1", "en_US", Some("2.36"))), Likeness::Nothing);
        let modified = libc("UTF8", "de_DE.utf8@phonebook", Some("2.36"));
        assert_eq!(libc("UTF8", "de_DE", Some("2.36")).likeness(&modified), Likeness::Encoding);
    }

    #[test]
    fn no_version_is_no_proof() {
        let here = libc("UTF8", "en_US.utf8", None);
        assert_eq!(here.likeness(&here.clone()), Likeness::Encoding);
        let here = icu("en", None, None);
        assert_eq!(here.likeness(&here.clone()), Likeness::Encoding);
    }

    #[test]
    fn bytes_have_no_version() {
        let c = libc("UTF8", "C", None);
        assert_eq!(c.likeness(&libc("UTF8", "POSIX", Some("2.36"))), Likeness::Collation);
        assert_eq!(c.likeness(&libc("UTF8", "C.UTF-8", None)), Likeness::Encoding);
        assert_eq!(c.likeness(&libc("EUC_JP", "C", None)), Likeness::Nothing);
        let code_points = libc("UTF8", "C.UTF-8", None);
        assert_eq!(code_points.likeness(&libc("UTF8", "C.utf8", None)), Likeness::Collation);
    }

    #[test]
    fn other_providers() {
        let here = icu("en-US", None, Some("153.120"));
        assert_eq!(here.likeness(&icu("en_us", Some(""), Some("153.120"))), Likeness::Collation);
        assert_eq!(here.likeness(&icu("en-US", None, Some("153.128"))), Likeness::Encoding);
        let reversed = icu("en-US", Some("&a < b"), Some("153.120"));
        assert_eq!(here.likeness(&reversed), Likeness::Encoding);
        assert_eq!(here.likeness(&libc("UTF8", "C", None)), Likeness::Encoding);
    }

    #[test]
    fn anything_else_says_nothing() {
        assert_eq!(Locale::from_row(&[]), None);
        assert_eq!(Locale::from_row(&[const { None }; 7]), None);
    }
}
