//! Tests of cluster options.

use super::{Config, ConfigError, Owner, of_server, validate};
use std::time::Duration;

fn options(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn server(pairs: &[(&str, &str)]) -> Result<(Vec<String>, Config), ConfigError> {
    of_server(&[], &options(pairs))
}

#[test]
fn partitions_in_any_order_and_spelling() {
    let (partitions, config) =
        server(&[("partition_1", "b"), ("query_timeout", "5"), ("P0", "a")]).unwrap();
    assert_eq!(partitions, ["a", "b"]);
    assert_eq!(config.query_timeout, Some(Duration::from_secs(5)));
}

#[test]
fn server_options_override_the_wrappers() {
    let wrapper = options(&[("query_timeout", "7"), ("connection_lifetime", "9")]);
    let (_, config) =
        of_server(&wrapper, &options(&[("p0", "a"), ("query_timeout", "0")])).unwrap();
    assert_eq!(config.query_timeout, None);
    assert_eq!(config.connection_lifetime, Some(Duration::from_secs(9)));
}

#[test]
fn every_complaint() {
    let text = |pairs: &[(&str, &str)]| server(pairs).unwrap_err().to_string();
    assert_eq!(text(&[("foo", "1"), ("p0", "a")]), "Pl/Proxy: invalid server option: foo");
    assert_eq!(text(&[("default_user", "x")]), "Pl/Proxy: invalid server option: default_user");
    assert_eq!(
        text(&[("query_timeout", "x")]),
        "Pl/Proxy: only integer options are allowed: query_timeout=x"
    );
    let numbering = "Pl/Proxy: partition numbers must start from 0 and be numbered consecutively";
    assert_eq!(text(&[("p1", "a")]), numbering);
    assert_eq!(text(&[("p0", "a"), ("p2", "a")]), numbering);
    assert_eq!(text(&[("p0", "a"), ("p99999999999999999999", "a")]), numbering);
    assert_eq!(
        text(&[("p0", "a"), ("partition_0", "a")]),
        "Pl/Proxy: duplicate partition number: 0"
    );
    let count = "Pl/Proxy: invalid number of partitions";
    assert_eq!(text(&[]), count);
    assert_eq!(text(&[("p0", "a"), ("p1", "a"), ("p2", "a")]), count);
    assert_eq!(text(&[("modular_mapping", "1")]), count);
    server(&[("p0", "a"), ("p1", "a"), ("p2", "a"), ("modular_mapping", "1")]).unwrap();
}

#[test]
fn a_missing_value_is_told() {
    let missing = [("p0".to_owned(), None)];
    for owner in [Owner::Server, Owner::Wrapper, Owner::Mapping] {
        let error = validate(&missing, owner).unwrap_err();
        assert_eq!(error.to_string(), "option \"p0\" requires a value");
    }
}

#[test]
fn mappings_take_user_and_password() {
    let list = |name: &str| [(name.to_owned(), Some("x".to_owned()))];
    validate(&list("USER"), Owner::Mapping).unwrap();
    validate(&list("password"), Owner::Mapping).unwrap();
    assert_eq!(validate(&list("host"), Owner::Mapping), Err(ConfigError::Mapping));
    assert_eq!(validate(&list("user"), Owner::Other), Err(ConfigError::Elsewhere));
    validate(&[], Owner::Other).unwrap();
}

#[test]
fn hash_to_partition() {
    let mask = Config::default();
    assert_eq!(mask.partition(-1, 4), 3);
    assert_eq!(mask.partition(6, 4), 2);
    assert_eq!(mask.partition(i64::MIN + 1, 4), 1);
    let modular = Config { modular_mapping: true, ..Config::default() };
    assert_eq!(modular.partition(-7, 3), 1);
    assert_eq!(modular.partition(7, 3), 1);
    assert_eq!(modular.partition(i64::MIN, 3), 2);
}
