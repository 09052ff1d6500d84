//! What a function body says, after parsing and before anything is looked up in the catalogs.
//!
//! Arguments are known by their position among the IN and INOUT arguments, counted from 0. SQL text is kept in
//! pieces, so that one parameter list can be made for each query that is sent or run.
#![forbid(unsafe_code)]

/// A piece of SQL text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Passed on as it is.
    Text(String),
    /// The value of an argument.
    Argument(usize),
}

/// SQL with references to arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sql {
    pub pieces: Vec<Piece>,
}

impl Sql {
    /// SQL that begins with `text`.
    pub fn starting(text: &str) -> Sql {
        Sql { pieces: vec![Piece::Text(text.to_owned())] }
    }

    /// Adds text.
    pub fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Adds a reference to an argument.
    pub fn push_argument(&mut self, argument: usize) {
        self.pieces.push(Piece::Argument(argument));
    }

    /// The text with parameters numbered by first use, and the argument behind each number. `cast` gives what
    /// follows a parameter, e.g. `::int4`.
    pub fn render(&self, cast: impl Fn(usize) -> String) -> (String, Vec<usize>) {
        let mut text = String::new();
        let mut order: Vec<usize> = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Argument(argument) => {
                    let number = order.iter().position(|a| a == argument).unwrap_or_else(|| {
                        order.push(*argument);
                        order.len() - 1
                    });
                    text.push_str(&format!("${}{}", number + 1, cast(*argument)));
                }
            }
        }
        let trimmed = text.trim_end().len();
        text.truncate(trimmed);
        (text, order)
    }
}

/// Where a text value (cluster name, connection string) comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Written in the body.
    Literal(String),
    /// The value of an argument.
    Argument(usize),
    /// A local query's first column.
    Query(Sql),
}

/// RUN ON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Every partition.
    All,
    /// One partition, chosen at random.
    Any,
    /// That partition.
    Exact(u32),
    /// The partition that an argument's value hashes to.
    Argument(usize),
    /// The partitions that a local query's values hash to.
    Query(Sql),
}

/// SPLIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// All array arguments.
    All,
    /// These arguments, in the order written.
    Arguments(Vec<usize>),
}

/// Which server a function goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One connection string.
    Connect(Source),
    /// A cluster's name.
    Cluster(Source),
}

/// A whole function body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub place: Place,
    pub run: Run,
    pub split: Option<Split>,
    /// The remote function to call instead of the one of the same name.
    pub target: Option<String>,
    /// The remote query to run instead of a function call.
    pub select: Option<Sql>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_by_first_use() {
        let mut sql = Sql::starting("select ");
        sql.push_argument(2);
        sql.push_text(", ");
        sql.push_argument(0);
        sql.push_text(", ");
        sql.push_argument(2);
        sql.push_text(" ");
        let (text, order) = sql.render(|a| format!("::t{a}"));
        assert_eq!(text, "select $1::t2, $2::t0, $1::t2");
        assert_eq!(order, [2, 0]);
    }

    #[test]
    fn neighbouring_text_is_one_piece() {
        let mut sql = Sql::starting("a");
        sql.push_text("b");
        assert_eq!(sql.pieces, [Piece::Text("ab".into())]);
    }
}
