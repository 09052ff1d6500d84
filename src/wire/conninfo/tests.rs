use super::*;

fn parse_in(options: &[(&str, &str)], env: &[(&str, &str)]) -> Result<ConnInfo, String> {
    let options: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let look =
        |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let around =
        Surroundings { env: &look, os_user: Some("postgres".into()), socket_dir: "/run/pg" };
    ConnInfo::parse(&options, &around)
}

fn parse(options: &[(&str, &str)]) -> Result<ConnInfo, String> {
    parse_in(options, &[])
}

#[test]
fn defaults() {
    let info = parse(&[]).unwrap();
    assert_eq!(info.hosts, [Host { host: "/run/pg".into(), hostaddr: None, port: 5432 }]);
    assert!(info.hosts[0].is_unix());
    assert_eq!(info.hosts[0].socket_path(), "/run/pg/.s.PGSQL.5432");
    assert_eq!((info.user.as_str(), info.dbname.as_str()), ("postgres", "postgres"));
    assert_eq!(info.tls.mode, SslMode::Prefer);
    assert_eq!(info.channel_binding, Wish::Prefer);
    assert_eq!(info.target, Target::Any);
    assert!(info.connect_timeout.is_none() && info.tcp.keepalives && !info.shuffle);
}

#[test]
fn several_hosts() {
    let info = parse(&[("host", "a,,@abs"), ("port", "1,,3")]).unwrap();
    let got: Vec<_> = info.hosts.iter().map(|h| (h.host.as_str(), h.port)).collect();
    assert_eq!(got, [("a", 1), ("/run/pg", 5432), ("@abs", 3)]);
    let info = parse(&[("host", "a,b"), ("hostaddr", "10.0.0.1,10.0.0.2"), ("port", "9")]).unwrap();
    assert_eq!(info.hosts[1].hostaddr.as_deref(), Some("10.0.0.2"));
    assert_eq!((info.hosts[1].name(), info.hosts[1].port), ("b", 9));
}

#[test]
fn refusals_in_libpqs_words() {
    for (options, message) in [
        (&[("host", "a,b,c"), ("port", "1,2")][..], "could not match 2 port numbers to 3 hosts"),
        (
            &[("host", "a"), ("hostaddr", "1.1.1.1,2.2.2.2")],
            "could not match 1 host names to 2 hostaddr values",
        ),
        (&[("port", "0")], "invalid port number: \"0\""),
        (&[("port", "70000")], "invalid port number: \"70000\""),
        (&[("sslmode", "on")], "invalid sslmode value: \"on\""),
        (
            &[("connect_timeout", "x")],
            "invalid integer value \"x\" for connection option \"connect_timeout\"",
        ),
        (&[("hots", "x")], "invalid connection option \"hots\""),
        (&[("service", "none")], "definition of service \"none\" not found"),
        (
            &[("ssl_min_protocol_version", "TLSv1.3"), ("ssl_max_protocol_version", "TLSv1.2")],
            "invalid SSL protocol version range",
        ),
    ] {
        assert_eq!(parse(options).err().as_deref(), Some(message));
    }
    assert!(parse(&[("gssencmode", "require")]).is_err());
    assert!(parse(&[("requirepeer", "x")]).is_err());
    assert!(parse(&[("sslrootcert", "system"), ("sslmode", "require")]).is_err());
}

#[test]
fn environment_fills_in_and_options_win() {
    let env = [
        ("PGHOST", "h"),
        ("PGPORT", "7"),
        ("PGPASSWORD", "pw"),
        ("PGSSLMODE", "require"),
        ("PGCONNECT_TIMEOUT", "1"),
        ("PGAPPNAME", ""),
    ];
    let info = parse_in(&[("user", "u")], &[("PGUSER", "v")]).unwrap();
    assert_eq!((info.user.as_str(), info.dbname.as_str()), ("u", "u"));
    assert_eq!(parse_in(&[], &[("PGUSER", "v")]).unwrap().user, "v");
    let info = parse_in(&[("host", "x")], &env).unwrap();
    assert_eq!((info.hosts[0].host.as_str(), info.hosts[0].port), ("x", 7));
    assert_eq!(info.tls.mode, SslMode::Require);
    assert_eq!(info.connect_timeout, Some(Duration::from_secs(2)));
    assert!(!info.password_from_options);
    assert_eq!(info.password(&info.hosts[0]).unwrap().text.as_str(), "pw");
    let info = parse_in(&[("password", "mine"), ("fallback_application_name", "f")], &env).unwrap();
    assert!(info.password_from_options);
    assert_eq!(info.password(&info.hosts[0]).unwrap().text.as_str(), "mine");
    assert_eq!(info.application_name.as_deref(), Some("f"));
}

#[test]
fn an_empty_password_is_none() {
    let info = parse(&[("password", ""), ("passfile", "/nonexistent")]).unwrap();
    assert!(!info.password_from_options);
    assert!(info.password(&info.hosts[0]).is_none());
}
