//! Splits a function body into tokens, and counts lines.
//!
//! There are two ways to read: as PL/Proxy statements ([`Lexer::plain`]) and, after SELECT or an opening
//! parenthesis, as SQL text ([`Lexer::sql`]), where everything is passed on but argument names. The parser says
//! which; the lexer has no state but its position. The line of a token is the line it ends on.
#![forbid(unsafe_code)]

/// A token of PL/Proxy's own statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// A word: keyword, argument, or dotted name, blanks round the dots removed.
    Word(String),
    /// `$n`.
    Numbered(String),
    /// A word with an opening parenthesis behind it, as written, parenthesis included.
    Call(String),
    /// An unsigned integer.
    Number(String),
    /// A quoted string's value.
    Text(String),
    /// Any other character.
    Symbol(char),
    /// The end of the body, also an unterminated comment's.
    End,
}

/// A token of SQL text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Passed on.
    Text(String),
    /// A word that may be an argument's name.
    Word(String),
    /// `$n`.
    Numbered(String),
    /// `;`.
    Semicolon,
    /// Something SQL has no use for, or an unterminated quote.
    Bad,
    /// The end of the body.
    End,
}

/// A body being read.
pub struct Lexer<'a> {
    source: &'a str,
    position: usize,
    line: u32,
    standard_strings: bool,
}

fn starts_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn continues_word(c: char) -> bool {
    starts_word(c) || c.is_ascii_digit()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The characters SQL text may have outside words, numbers and quotes.
fn is_sql_symbol(c: char) -> bool {
    "-!#%&()*+,/:<=>?@[]^{|}~.".contains(c)
}

impl<'a> Lexer<'a> {
    /// Reads `source` from its beginning. `standard_strings`: whether a backslash in `'...'` is an ordinary
    /// character (standard_conforming_strings).
    pub fn new(source: &'a str, standard_strings: bool) -> Lexer<'a> {
        Lexer { source, position: 0, line: 1, standard_strings }
    }

    /// The line that has been reached.
    pub fn line(&self) -> u32 {
        self.line
    }

    fn rest(&self) -> &'a str {
        &self.source[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Moves over `length` bytes and gives them.
    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.rest()[..length];
        self.line += taken.bytes().filter(|&b| b == b'\n').count() as u32;
        self.position += length;
        taken
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.take(length)
    }

    /// Moves behind the next `end`, or to the end of the body; tells whether it was there.
    fn take_through(&mut self, end: &str) -> bool {
        let rest = self.rest();
        match rest.find(end) {
            Some(at) => {
                self.take(at + end.len());
                true
            }
            None => {
                self.take(rest.len());
                false
            }
        }
    }

    /// The length of the dotted name that `text` begins with.
    fn name_length(text: &str) -> usize {
        let word = |text: &str| text.find(|c| !continues_word(c)).unwrap_or(text.len());
        let mut length = word(text);
        loop {
            let behind = text[length..].trim_start_matches(is_blank);
            let Some(behind_dot) = behind.strip_prefix('.') else { return length };
            let next = behind_dot.trim_start_matches(is_blank);
            if !next.starts_with(starts_word) {
                return length;
            }
            length = text.len() - next.len() + word(next);
        }
    }

    /// The next token of a PL/Proxy statement.
    pub fn plain(&mut self) -> Plain {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return Plain::End };
            if is_blank(first) {
                self.take_while(is_blank);
            } else if rest.starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                self.take(2);
                self.take_through("*/");
            } else if starts_word(first) {
                return self.plain_word();
            } else if first.is_ascii_digit() {
                return Plain::Number(self.take_while(|c| c.is_ascii_digit()).to_owned());
            } else if first == '$' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
                return Plain::Numbered(self.numbered());
            } else if first == '\'' {
                return self.plain_string();
            } else {
                self.take(first.len_utf8());
                return Plain::Symbol(first);
            }
        }
    }

    fn numbered(&mut self) -> String {
        let rest = self.rest();
        let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - 1);
        self.take(1 + digits).to_owned()
    }

    fn plain_word(&mut self) -> Plain {
        let rest = self.rest();
        let length = Lexer::name_length(rest);
        let behind = rest[length..].trim_start_matches(is_blank);
        // "select (" begins a query; every other word before a parenthesis is a function's name.
        if behind.starts_with('(') && !rest[..length].eq_ignore_ascii_case("select") {
            let whole = rest.len() - behind.len() + 1;
            return Plain::Call(self.take(whole).to_owned());
        }
        Plain::Word(self.take(length).chars().filter(|&c| !is_blank(c)).collect())
    }

    fn plain_string(&mut self) -> Plain {
        let rest = self.rest();
        let mut value = String::new();
        let mut characters = rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            if c != '\'' {
                value.push(c);
            } else if characters.next_if(|&(_, next)| next == '\'').is_some() {
                value.push('\'');
            } else {
                self.take(at + 1);
                return Plain::Text(value);
            }
        }
        // Unterminated: the quote stands for itself, which no statement has a place for.
        self.take(1);
        Plain::Symbol('\'')
    }

    /// The next token of SQL text. Blank space and comments come as one blank.
    pub fn sql(&mut self) -> Part {
        let rest = self.rest();
        let Some(first) = self.peek() else { return Part::End };
        if is_blank(first) {
            self.take_while(is_blank);
            return Part::Text(" ".into());
        }
        if rest.starts_with("--") {
            self.take_while(|c| c != '\n');
            return Part::Text(" ".into());
        }
        if rest.starts_with("/*") {
            self.take(2);
            return if self.take_through("*/") { Part::Text(" ".into()) } else { Part::End };
        }
        match first {
            ';' => {
                self.take(1);
                Part::Semicolon
            }
            '"' => self.quoted(0, '"', false),
            '\'' => self.quoted(0, '\'', !self.standard_strings),
            '$' => self.dollar(),
            c if starts_word(c) => self.sql_word(),
            // A letter that follows a digit (1e5, 0x1F) is part of the number, never an argument.
            c if c.is_ascii_digit() => {
                Part::Text(self.take_while(|c| continues_word(c) || c == '.').to_owned())
            }
            c if is_sql_symbol(c) => Part::Text(self.take(1).to_owned()),
            c => {
                self.take(c.len_utf8());
                Part::Bad
            }
        }
    }

    fn sql_word(&mut self) -> Part {
        let rest = self.rest();
        let length = Lexer::name_length(rest);
        let word = &rest[..length];
        let behind = &rest[length..];
        if behind.starts_with('\'') && word.eq_ignore_ascii_case("e") {
            return self.quoted(length, '\'', true);
        }
        // b'', x'', n'', u&'' and u&"": the letter belongs to the literal, whatever arguments are called.
        if (behind.starts_with('\'')
            && ["b", "x", "n"].iter().any(|p| word.eq_ignore_ascii_case(p)))
            || ((behind.starts_with("&'") || behind.starts_with("&\""))
                && word.eq_ignore_ascii_case("u"))
        {
            return Part::Text(self.take(length).to_owned());
        }
        Part::Word(self.take(length).to_owned())
    }

    /// A quoted piece that begins `before` bytes ahead, as written. A doubled quote looks like the end of one
    /// piece and the start of another, which comes to the same text.
    fn quoted(&mut self, before: usize, quote: char, backslashes: bool) -> Part {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(before + 1) {
            if escaped {
                escaped = false;
            } else if backslashes && c == '\\' {
                escaped = true;
            } else if c == quote {
                if !backslashes || !rest[at + 1..].starts_with(quote) {
                    return Part::Text(self.take(at + 1).to_owned());
                }
                // With backslashes the next piece would have to know that it still reads them.
                escaped = true;
            }
        }
        self.take(rest.len());
        Part::End
    }

    /// `$1`, or `$tag$ ... $tag$` as written.
    fn dollar(&mut self) -> Part {
        let rest = self.rest();
        if rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            return Part::Numbered(self.numbered());
        }
        let tag = rest[1..].find(|c| !continues_word(c)).map_or(rest.len(), |at| at + 1);
        if !rest[tag..].starts_with('$') {
            self.take(1);
            return Part::Bad;
        }
        let quote = &rest[..=tag];
        match rest[quote.len()..].find(quote) {
            Some(at) => Part::Text(self.take(at + 2 * quote.len()).to_owned()),
            None => {
                self.take(rest.len());
                Part::End
            }
        }
    }
}

#[cfg(test)]
#[path = "lexer_tests.rs"]
mod tests;
