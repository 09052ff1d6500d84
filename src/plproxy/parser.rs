//! Function body to [`Body`]: grammar, "only one of each" and references to arguments.
//!
//! Checks nothing that needs the catalogs (types, pg_proc); line numbers are those PL/Proxy gives.
#![forbid(unsafe_code)]

use super::ast::{Body, Place, Run, Source, Split, Sql};
use super::lexer::{Lexer, Part, Plain};

/// Why a body cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Told with the line it was found on.
    #[error("Compile error at line {line}: {message}")]
    At { line: u32, message: String },
    /// An argument stands twice in SPLIT.
    #[error("SPLIT parameter specified more than once: {0}")]
    SplitTwice(String),
}

/// The statements seen so far.
#[derive(Default)]
struct Seen {
    connect: Option<Source>,
    cluster: Option<Source>,
    run: Option<Run>,
    split: Option<Split>,
    target: Option<String>,
    select: Option<Sql>,
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    arguments: &'a [Option<String>],
    seen: Seen,
}

/// Parses `source`. `arguments` are the names of the IN and INOUT arguments.
pub fn parse(
    source: &str,
    arguments: &[Option<String>],
    standard_strings: bool,
) -> Result<Body, ParseError> {
    let lexer = Lexer::new(source, standard_strings);
    let mut parser = Parser { lexer, arguments, seen: Seen::default() };
    while parser.statement()? {}
    parser.finish()
}

impl Parser<'_> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::At { line: self.lexer.line(), message: message.into() })
    }

    fn syntax<T>(&self) -> Result<T, ParseError> {
        self.error("syntax error")
    }

    fn only_one<T>(&self, statement: &str) -> Result<T, ParseError> {
        self.error(format!("Only one {statement} statement allowed"))
    }

    /// One statement; false at the end of the body.
    fn statement(&mut self) -> Result<bool, ParseError> {
        let keyword = match self.lexer.plain() {
            Plain::Word(word) => word.to_ascii_lowercase(),
            Plain::End => return Ok(false),
            _ => return self.syntax(),
        };
        match keyword.as_str() {
            "connect" => self.connect()?,
            "cluster" => self.cluster()?,
            "run" => self.run()?,
            "split" => self.split()?,
            "target" => self.target()?,
            "select" => {
                if self.seen.select.is_some() {
                    return self.only_one("SELECT");
                }
                let sql = self.sql("select")?;
                self.seen.select = Some(sql);
            }
            _ => return self.syntax(),
        }
        Ok(true)
    }

    fn semicolon(&mut self) -> Result<(), ParseError> {
        match self.lexer.plain() {
            Plain::Symbol(';') => Ok(()),
            _ => self.syntax(),
        }
    }

    fn connect(&mut self) -> Result<(), ParseError> {
        let source = match self.lexer.plain() {
            Plain::Text(text) => {
                self.semicolon()?;
                Source::Literal(text)
            }
            Plain::Call(call) => Source::Query(self.sql(&format!("select * from {call}"))?),
            token @ (Plain::Word(_) | Plain::Numbered(_)) => {
                let source = match self.value(&token)? {
                    Ok(argument) => Source::Argument(argument),
                    Err(sql) => Source::Query(sql),
                };
                self.semicolon()?;
                source
            }
            _ => return self.syntax(),
        };
        if self.seen.connect.replace(source).is_some() {
            return self.only_one("CONNECT");
        }
        Ok(())
    }

    fn cluster(&mut self) -> Result<(), ParseError> {
        let source = match self.lexer.plain() {
            Plain::Text(text) => {
                self.semicolon()?;
                Source::Literal(text)
            }
            Plain::Call(call) => Source::Query(self.sql(&format!("select {call}"))?),
            _ => return self.syntax(),
        };
        if self.seen.cluster.replace(source).is_some() {
            return self.only_one("CLUSTER");
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), ParseError> {
        match self.lexer.plain() {
            Plain::Word(word) if word.eq_ignore_ascii_case("on") => {}
            _ => return self.syntax(),
        }
        let token = self.lexer.plain();
        let run = match &token {
            Plain::Call(call) => Run::Query(self.sql(&format!("select * from {call}"))?),
            Plain::Word(word) if word.eq_ignore_ascii_case("all") => Run::All,
            Plain::Word(word) if word.eq_ignore_ascii_case("any") => Run::Any,
            // No cluster has that many partitions, so the largest number stands for all beyond it.
            Plain::Number(number) => Run::Exact(number.parse().unwrap_or(u32::MAX)),
            Plain::Word(_) | Plain::Numbered(_) => match self.value(&token)? {
                Ok(argument) => Run::Argument(argument),
                Err(sql) => Run::Query(sql),
            },
            _ => return self.syntax(),
        };
        if !matches!(token, Plain::Call(_)) {
            self.semicolon()?;
        }
        if self.seen.run.replace(run).is_some() {
            return self.only_one("RUN");
        }
        Ok(())
    }

    fn split(&mut self) -> Result<(), ParseError> {
        let first = self.lexer.plain();
        let split = if matches!(&first, Plain::Word(word) if word.eq_ignore_ascii_case("all")) {
            self.semicolon()?;
            Split::All
        } else {
            let mut arguments = match &self.seen.split {
                Some(Split::Arguments(earlier)) => earlier.clone(),
                _ => Vec::new(),
            };
            let mut token = first;
            loop {
                let name = match &token {
                    Plain::Word(word) if !is_keyword(word) => word,
                    Plain::Numbered(word) => word,
                    _ => return self.syntax(),
                };
                let Some(argument) = self.lookup(name) else {
                    return self.error(format!("invalid argument reference: {name}"));
                };
                if arguments.contains(&argument) {
                    return Err(ParseError::SplitTwice(name.clone()));
                }
                arguments.push(argument);
                match self.lexer.plain() {
                    Plain::Symbol(',') => token = self.lexer.plain(),
                    Plain::Symbol(';') => break,
                    _ => return self.syntax(),
                }
            }
            Split::Arguments(arguments)
        };
        if self.seen.split.replace(split).is_some() {
            return self.only_one("SPLIT");
        }
        Ok(())
    }

    fn target(&mut self) -> Result<(), ParseError> {
        let name = match self.lexer.plain() {
            Plain::Word(word) => word,
            _ => return self.syntax(),
        };
        self.semicolon()?;
        if self.seen.target.replace(name).is_some() {
            return self.only_one("TARGET");
        }
        Ok(())
    }

    /// The position of the argument that `reference` (a name or `$n`) stands for.
    fn lookup(&self, reference: &str) -> Option<usize> {
        if let Some(number) = reference.strip_prefix('$') {
            let number: usize = number.parse().ok()?;
            return (1..=self.arguments.len()).contains(&number).then(|| number - 1);
        }
        self.arguments
            .iter()
            .position(|name| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(reference)))
    }

    /// A lone word where a value is wanted: an argument, or else what SQL makes of the word.
    fn value(&self, token: &Plain) -> Result<Result<usize, Sql>, ParseError> {
        let word = match token {
            Plain::Word(word) if is_keyword(word) => return self.syntax(),
            Plain::Word(word) | Plain::Numbered(word) => word,
            _ => return self.syntax(),
        };
        match self.lookup(word) {
            Some(argument) => Ok(Ok(argument)),
            None if word.starts_with('$') => {
                self.error(format!("invalid argument reference: {word}"))
            }
            None => Ok(Err(Sql::starting(&format!("select {word}")))),
        }
    }

    /// SQL text up to the semicolon, behind `start`.
    fn sql(&mut self, start: &str) -> Result<Sql, ParseError> {
        let mut sql = Sql::starting(start);
        let mut empty = true;
        loop {
            match self.lexer.sql() {
                Part::Text(text) => sql.push_text(&text),
                Part::Word(word) => match self.lookup(&word) {
                    Some(argument) => sql.push_argument(argument),
                    None => sql.push_text(&word),
                },
                Part::Numbered(reference) => match self.lookup(&reference) {
                    Some(argument) => sql.push_argument(argument),
                    None => return self.error(format!("invalid argument reference: {reference}")),
                },
                Part::Semicolon if empty => return self.syntax(),
                Part::Semicolon => return Ok(sql),
                Part::Bad | Part::End => return self.syntax(),
            }
            empty = false;
        }
    }

    fn finish(self) -> Result<Body, ParseError> {
        let unfit = |message: &str| self.error(message);
        if self.seen.connect.is_some() {
            if self.seen.cluster.is_some() || self.seen.run.is_some() {
                return unfit("CONNECT cannot be used with CLUSTER/RUN");
            }
        } else if self.seen.cluster.is_none() {
            return unfit("CLUSTER statement missing");
        }
        if self.seen.target.is_some() && self.seen.select.is_some() {
            return unfit("TARGET cannot be used with SELECT");
        }
        let Seen { connect, cluster, run, split, target, select } = self.seen;
        let (place, run) = match (connect, cluster) {
            (Some(source), _) => (Place::Connect(source), Run::Exact(0)),
            (None, Some(source)) => (Place::Cluster(source), run.unwrap_or(Run::Any)),
            (None, None) => {
                let message = "CLUSTER statement missing".to_owned();
                return Err(ParseError::At { line: self.lexer.line(), message });
            }
        };
        Ok(Body { place, run, split, target, select })
    }
}

fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 9] =
        ["cluster", "connect", "run", "on", "all", "any", "split", "target", "select"];
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
