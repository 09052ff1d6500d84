use super::*;
use crate::error::{Failure, SqlState};

fn list(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn message(result: Result<Vec<String>, OptionError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn every_option_is_read() {
    for spec in spec::OPTIONS {
        let value = match spec.kind {
            Kind::Text => "x",
            Kind::Boolean => "On",
            Kind::Positive => "7",
            Kind::Cost => "0.5",
            Kind::Extensions => "cube, hstore",
            Kind::Schemas => "public, \"$user\"",
            Kind::Choice(words) => words[0],
        };
        let options = list(&[(spec.name, value)]);
        for object in spec.on {
            match object {
                Object::Server => assert_ne!(server(&options).unwrap(), ServerOptions::default()),
                Object::Mapping => {
                    assert_ne!(mapping(&options).unwrap(), MappingOptions::default())
                }
                Object::Table => assert_ne!(table(&options).unwrap(), TableOptions::default()),
                Object::Column => assert_eq!(column(&options).unwrap().as_deref(), Some("x")),
                Object::Wrapper => panic!("the wrapper has no options"),
            }
        }
    }
}

#[test]
fn sampling_words_are_those_of_the_table() {
    for word in spec::SAMPLING {
        assert!(check("analyze_sampling", word, Object::Table).is_ok());
    }
    let error = check("analyze_sampling", "some", Object::Server).unwrap_err();
    assert_eq!(error.to_string(), "invalid value for string option \"analyze_sampling\": some");
}

#[test]
fn integers_as_postgres_reads_them() {
    for (text, number) in
        [("10", 10), (" 10 ", 10), ("0x10", 16), ("010", 8), ("1.5", 2), ("2.5", 2), ("1e3", 1000)]
    {
        assert_eq!(integer(text), Some(number), "{text}");
    }
    for text in ["", "ten", "10kB", "0x", "0x-1", "09", "99999999999", "1e10", "nan", "--1"] {
        assert_eq!(integer(text), None, "{text}");
    }
}

#[test]
fn texts_of_errors() {
    let check = |name, value| message(check(name, value, Object::Server));
    assert_eq!(check("fetch_size", "x"), "invalid value for integer option \"fetch_size\": x");
    assert_eq!(
        check("batch_size", "0"),
        "\"batch_size\" must be an integer value greater than zero"
    );
    assert_eq!(
        check("fdw_tuple_cost", "1a"),
        "invalid value for floating point option \"fdw_tuple_cost\": 1a"
    );
    assert_eq!(
        check("fdw_startup_cost", "-1"),
        "\"fdw_startup_cost\" must be a floating point value greater than or equal to zero"
    );
    assert_eq!(check("updatable", "1"), "updatable requires a Boolean value");
    assert_eq!(
        check("extensions", "a b"),
        "parameter \"extensions\" must be a list of extension names"
    );
}

#[test]
fn unknown_names_have_their_sqlstate() {
    let failure = Failure::from(check("usr", "x", Object::Mapping).unwrap_err());
    assert_eq!(failure.fields().sqlstate, SqlState::FDW_INVALID_OPTION_NAME);
    assert_eq!(failure.fields().message, "invalid option \"usr\"");
    assert_eq!(failure.fields().hint.as_deref(), Some("Perhaps you meant the option \"user\"."));
}

#[test]
fn import_options() {
    let options = import(&list(&[("import_default", "on"), ("import_collate", "false")])).unwrap();
    assert_eq!(
        options,
        ImportOptions {
            collate: false,
            default: true,
            generated: true,
            not_null: true,
            check: false
        }
    );
    assert!(import(&list(&[("import_x", "on")])).is_err());
    assert!(import(&list(&[("import_default", "maybe")])).is_err());
}
