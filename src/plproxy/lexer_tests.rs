//! Tests of the lexer.

use super::*;

fn plain(source: &str) -> Vec<Plain> {
    let mut lexer = Lexer::new(source, true);
    let mut tokens = Vec::new();
    loop {
        match lexer.plain() {
            Plain::End => return tokens,
            token => tokens.push(token),
        }
    }
}

fn sql(source: &str, standard: bool) -> Vec<Part> {
    let mut lexer = Lexer::new(source, standard);
    let mut parts = Vec::new();
    loop {
        match lexer.sql() {
            Part::End => return parts,
            part => parts.push(part),
        }
    }
}

fn text(value: &str) -> Part {
    Part::Text(value.into())
}

#[test]
fn words_names_and_calls() {
    assert_eq!(
        plain("CLUSTER 'it''s' ; a . b\n.c d(x"),
        [
            Plain::Word("CLUSTER".into()),
            Plain::Text("it's".into()),
            Plain::Symbol(';'),
            Plain::Word("a.b.c".into()),
            Plain::Call("d(".into()),
            Plain::Word("x".into()),
        ]
    );
    assert_eq!(plain("s.f  ("), [Plain::Call("s.f  (".into())]);
    assert_eq!(plain("Select ("), [Plain::Word("Select".into()), Plain::Symbol('(')]);
    assert_eq!(plain("größe"), [Plain::Word("größe".into())]);
}

#[test]
fn comments_numbers_and_references() {
    assert_eq!(
        plain("-- x ;\n/* a * / ' ** */ 12 $3 $ '"),
        [
            Plain::Number("12".into()),
            Plain::Numbered("$3".into()),
            Plain::Symbol('$'),
            Plain::Symbol('\''),
        ]
    );
    assert_eq!(plain("a /* b"), [Plain::Word("a".into())]);
}

#[test]
fn lines_are_counted_in_every_token() {
    let mut lexer = Lexer::new("\n'a\nb'\n/*\n*/ f \n (", true);
    lexer.plain();
    assert_eq!(lexer.line(), 3);
    lexer.plain();
    assert_eq!(lexer.line(), 6);
}

#[test]
fn sql_quotes_are_opaque() {
    for whole in ["'a;b'", "\"a;b\"", "E'a\\';b'", "e'x''y\\''", "$$a;b$$", "$t$a$$;$t$", "'a\\'"] {
        assert_eq!(sql(whole, true), [text(whole)], "{whole}");
    }
    assert_eq!(sql("'a\\'b'", false), [text("'a\\'b'")]);
    assert_eq!(sql("'a''b'", true), [text("'a'"), text("'b'")]);
    assert_eq!(sql("x'ff'", true), [text("x"), text("'ff'")]);
    assert_eq!(sql("u&\"a\"", true)[0], text("u"));
}

#[test]
fn sql_words_numbers_and_rubbish() {
    assert_eq!(
        sql("a.b c /*x*/--y\n1e5 $2;`", true),
        [
            Part::Word("a.b".into()),
            text(" "),
            Part::Word("c".into()),
            text(" "),
            text(" "),
            text(" "),
            text(" "),
            text("1e5"),
            text(" "),
            Part::Numbered("$2".into()),
            Part::Semicolon,
            Part::Bad,
        ]
    );
    assert_eq!(sql("'open", true), []);
    assert_eq!(sql("$x", true), [Part::Bad, Part::Word("x".into())]);
}
