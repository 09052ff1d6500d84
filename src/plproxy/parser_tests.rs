//! Tests of the parser: the grammar, and every error text with its line.

use super::super::ast::{Body, Place, Run, Source, Split};
use super::{ParseError, parse};

fn names(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|n| (!n.is_empty()).then(|| (*n).to_owned())).collect()
}

fn ok(source: &str, arguments: &[&str]) -> Body {
    parse(source, &names(arguments), true).unwrap()
}

fn err(source: &str) -> String {
    parse(source, &names(&["a", "b"]), true).unwrap_err().to_string()
}

fn sql_of(body: &Body) -> (String, Vec<usize>) {
    body.select.as_ref().unwrap().render(|a| format!("::t{a}"))
}

#[test]
fn statements_in_any_order_and_case() {
    let body = ok("Run ON All; TARGET s . f;\n CLUSTER 'c';", &["a"]);
    assert_eq!(body.place, Place::Cluster(Source::Literal("c".into())));
    assert_eq!((body.run, body.target), (Run::All, Some("s.f".into())));
    let body = ok("cluster 'c';", &[]);
    assert_eq!((body.run, body.split, body.select), (Run::Any, None, None));
    assert_eq!(ok("connect 'x';", &[]).run, Run::Exact(0));
}

#[test]
fn run_forms() {
    assert_eq!(ok("cluster 'c'; run on 007;", &[]).run, Run::Exact(7));
    assert_eq!(ok("cluster 'c'; run on 99999999999;", &[]).run, Run::Exact(u32::MAX));
    assert_eq!(ok("cluster 'c'; run on any;", &["any"]).run, Run::Any);
    assert_eq!(ok("cluster 'c'; run on USERID;", &["x", "userId"]).run, Run::Argument(1));
    assert_eq!(ok("cluster 'c'; run on $2;", &["", ""]).run, Run::Argument(1));
    let Run::Query(sql) = ok("cluster 'c'; run on h . f ( a, $2 , a);", &["a", "b"]).run else {
        panic!("no query")
    };
    let expected = ("select * from h . f ( $1, $2 , $1)".to_owned(), vec![0, 1]);
    assert_eq!(sql.render(|_| String::new()), expected);
    let Run::Query(sql) = ok("cluster 'c'; run on current_user;", &["a"]).run else {
        panic!("no query")
    };
    assert_eq!(sql.render(|_| String::new()).0, "select current_user");
}

#[test]
fn connect_and_cluster_sources() {
    assert_eq!(ok("connect dsn;", &["dsn"]).place, Place::Connect(Source::Argument(0)));
    let Place::Connect(Source::Query(sql)) = ok("connect dsn(x);", &["dsn", "x"]).place else {
        panic!("no query")
    };
    // The function's own name is never an argument, even when one is called so.
    let expected = ("select * from dsn($1)".to_owned(), vec![1]);
    assert_eq!(sql.render(|_| String::new()), expected);
    let Place::Cluster(Source::Query(sql)) = ok("cluster pick($1);", &["x"]).place else {
        panic!("no query")
    };
    assert_eq!(sql.render(|_| String::new()).0, "select pick($1)");
}

#[test]
fn substitution_in_select() {
    let body =
        ok("cluster 'c'; select 'a', \"a\", t.a, A, $$a$$, $2, a -- a\n from x;", &["a", "b", "c"]);
    let (text, order) = sql_of(&body);
    assert_eq!(text, "select 'a', \"a\", t.a, $1::t0, $$a$$, $2::t1, $1::t0   from x");
    assert_eq!(order, [0, 1]);
    let (text, _) = sql_of(&ok("cluster 'c'; select(select 1e5, x'0f', E'\\'a');", &["x", "e5"]));
    assert_eq!(text, "select(select 1e5, x'0f', E'\\'a')");
}

#[test]
fn split_forms() {
    assert_eq!(ok("cluster 'c'; split all;", &["a"]).split, Some(Split::All));
    let split = ok("cluster 'c'; split b, $1;", &["a", "b"]).split;
    assert_eq!(split, Some(Split::Arguments(vec![1, 0])));
    assert_eq!(
        parse("cluster 'c'; split a, $1;", &names(&["a"]), true),
        Err(ParseError::SplitTwice("$1".into()))
    );
    assert_eq!(
        err("cluster 'c'; split a; split a;"),
        "SPLIT parameter specified more than once: a"
    );
}

#[test]
fn only_one_of_each() {
    for (statement, source) in [
        ("CONNECT", "connect 'x';\nconnect 'y'\n;"),
        ("CLUSTER", "cluster 'x';\ncluster 'y'\n;"),
        ("RUN", "run on 1;\nrun on\nany;"),
        ("SPLIT", "split a;\nsplit\nb;"),
        ("TARGET", "target a;\ntarget b\n;"),
    ] {
        assert_eq!(
            err(source),
            format!("Compile error at line 3: Only one {statement} statement allowed")
        );
    }
    // SELECT is found out at its keyword already.
    assert_eq!(
        err("select 1;\nselect 2\n;"),
        "Compile error at line 2: Only one SELECT statement allowed"
    );
}

#[test]
fn whole_body_checks_tell_the_last_line() {
    let message = "CONNECT cannot be used with CLUSTER/RUN";
    for source in ["connect 'x'; cluster 'c';\n\n", "connect 'x';\nrun on any;\n"] {
        assert_eq!(err(source), format!("Compile error at line 3: {message}"));
    }
    assert_eq!(err(" "), "Compile error at line 1: CLUSTER statement missing");
    assert_eq!(err("\nrun on all;"), "Compile error at line 2: CLUSTER statement missing");
    assert_eq!(
        err("cluster 'c'; target x; select 1;\n"),
        "Compile error at line 2: TARGET cannot be used with SELECT"
    );
}

#[test]
fn references_to_nothing() {
    for (line, source) in [
        (1, "cluster 'c'; run on $3;"),
        (2, "cluster 'c';\nrun on f($3\n);"),
        (2, "cluster 'c'; select\n$9 from x;"),
        (1, "cluster 'c'; run on $0;"),
        (1, "connect $4;"),
    ] {
        let message = err(source);
        let start = format!("Compile error at line {line}: invalid argument reference: $");
        assert!(message.starts_with(&start), "{message}");
    }
    assert_eq!(
        err("cluster 'c'; split a, zz;"),
        "Compile error at line 1: invalid argument reference: zz"
    );
}

#[test]
fn syntax_errors_tell_the_line_of_the_token() {
    for (line, source) in [
        (3, "cluster 'c'\n\nrun on 0;"),
        (1, "cluster 'c'"),
        (2, "cluster 'c';\nrun on 0"),
        (1, "cluster c;"),
        (1, "cluster 5;"),
        (1, "run any;"),
        (2, "run on\n;"),
        (1, "run on -1;"),
        (1, "run on 'x';"),
        (1, "run on f(1;2);"),
        (1, "split ;"),
        (1, "split a,;"),
        (1, "split a, all;"),
        (1, "target 'x';"),
        (1, "target f(x);"),
        (1, "select;"),
        (2, "select 'open\n;"),
        (1, "select `1`;"),
        (1, "foo;"),
        (1, ";"),
        (1, "run on cluster;"),
        (1, "connect all;"),
        (1, "cluster 'open\n"),
    ] {
        let message = err(source);
        // "run on f(1;2);" is cut at its semicolon; what follows is no statement.
        assert_eq!(message, format!("Compile error at line {line}: syntax error"), "{source:?}");
    }
}

#[test]
fn unusual_but_right() {
    ok("/* a ; */ cluster 'c' -- x\n; -- end", &[]);
    ok("cluster 'naïve'; run on größe;", &["größe"]);
    ok("cluster 'c'; run on f();", &[]);
    ok("cluster 'c'; select 1/* no ; */;", &[]);
    assert_eq!(ok("cluster 'it''s';", &[]).place, Place::Cluster(Source::Literal("it's".into())));
    // With standard_conforming_strings off a backslash escapes in plain strings too.
    parse("cluster 'c'; select 'a\\';b';", &[], false).unwrap();
}
