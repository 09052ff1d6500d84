//! INSERT ... ON CONFLICT DO UPDATE that takes several remote statements.
//!
//! PostgreSQL refuses to change a row twice in one statement. Where the rows go in several statements, each of them
//! refuses that for its own rows only. So the first one that changes anything tells in which transaction and command
//! it did, and the later ones fail on a row version that was written then or since.

use super::params::ParamEncoder;
use crate::deparse::SECOND_TIME;
use crate::error::{Failure, SqlState};
use crate::pg::{expr, node};
use crate::plan::conflict_plan::ConflictPlan;
use crate::wire::{Params, Reply};
use pgrx::pg_sys;

/// Which of the statements to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The only one, or the only kind.
    #[default]
    Plain,
    /// One that tells when it ran.
    First,
    /// One that looks at what was changed since.
    Again,
}

/// What is known of the statements sent so far.
enum Sent {
    /// None has changed a row.
    Nothing,
    /// One that was taken for the last one.
    Last,
    /// One that changed rows, in this transaction and command.
    Since { xmin: Vec<u8>, cmin: Vec<u8> },
}

/// State of an ON CONFLICT DO UPDATE.
pub struct Upsert {
    plan: ConflictPlan,
    sent: Sent,
    /// What SET and WHERE need from here; evaluated once, when the first row is sent.
    values: expr::List,
    context: *mut pg_sys::ExprContext,
    encoder: ParamEncoder,
    evaluated: bool,
}

impl Upsert {
    /// For a statement of the ModifyTable that `node` executes; `values` are the parameters before those of the rows.
    ///
    /// # Safety
    /// `node` is initialised or about to be; the expressions have no columns.
    pub unsafe fn new(
        node: *mut pg_sys::ModifyTableState,
        plan: ConflictPlan,
        values: impl IntoIterator<Item = *mut pg_sys::Expr>,
    ) -> Result<Upsert, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            let values = expr::List::init(node::make_list(values), &raw mut (*node).ps);
            Ok(Upsert {
                plan,
                sent: Sent::Nothing,
                encoder: ParamEncoder::declared(&values.types())?,
                values,
                context: pg_sys::CreateExprContext((*node).ps.state),
                evaluated: false,
            })
        }
    }

    /// The values that planning has left in the plan: see plan/conflict.rs.
    ///
    /// # Safety
    /// `node` executes an INSERT.
    pub unsafe fn values_of(node: *mut pg_sys::ModifyTableState) -> Vec<*mut pg_sys::Expr> {
        // SAFETY: as the caller vouches.
        unsafe {
            let plan = (*node).ps.plan.cast::<pg_sys::ModifyTable>();
            let entries = node::list::<pg_sys::TargetEntry>((*plan).onConflictSet);
            entries.map(|entry| (*entry).expr).collect()
        }
    }

    /// The statement for the next rows; `last` when there are likely no more behind them.
    pub fn form(&self, last: bool) -> Result<Form, Failure> {
        match self.sent {
            Sent::Nothing if last || self.plan.single => Ok(Form::Plain),
            Sent::Nothing => Ok(Form::First),
            Sent::Since { .. } => Ok(Form::Again),
            // Somebody has asked for the rows to be sent before there were enough of them.
            Sent::Last => Err(Failure::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "INSERT with ON CONFLICT DO UPDATE cannot be interrupted by triggers of other tables",
            )),
        }
    }

    /// The template of a form other than the plain one.
    pub fn template(&self, form: Form) -> Option<&crate::deparse::Template> {
        match form {
            Form::Plain => None,
            Form::First => Some(&self.plan.first),
            Form::Again => Some(&self.plan.again),
        }
    }

    /// How many parameters come before those of the rows, at most.
    pub fn width(&self) -> usize {
        2 + self.values.types().len()
    }

    /// The parameters before those of the rows.
    ///
    /// # Safety
    /// The statement is in execution.
    pub unsafe fn params(&mut self, form: Form) -> Result<Params, Failure> {
        let mut params = Params::default();
        if let (Form::Again, Sent::Since { xmin, cmin }) = (form, &self.sent) {
            for value in [xmin, cmin] {
                let start = params.buffer.len();
                params.buffer.extend_from_slice(value);
                params.values.push((Some(start..params.buffer.len()), 0));
            }
        }
        // SAFETY: the context lives as long as the statement; its per-tuple memory is never reset.
        unsafe {
            if !self.evaluated {
                self.values.evaluate(self.context);
                self.evaluated = true;
            }
            for (i, &(value, null)) in self.values.values().iter().enumerate() {
                self.encoder.encode(i, value, null, &mut params)?;
            }
        }
        Ok(params)
    }

    /// Their types for Parse.
    pub fn param_types(&self, form: Form) -> Vec<u32> {
        let count = self.values.types().len();
        let before = if form == Form::Again { 2 } else { 0 };
        let mut types = vec![0; before];
        types.extend(self.encoder.param_types(count));
        types.resize(before + count, 0);
        types
    }

    /// Takes note of the statement's outcome, and what was asked for that away from its rows.
    pub fn note(&mut self, form: Form, reply: &mut Reply) {
        match form {
            Form::Plain => self.sent = Sent::Last,
            Form::First => {
                let mut fields = reply.fields(0).flatten().map(<[u8]>::to_vec);
                let mut last_two = [fields.next(), fields.next()];
                for field in fields {
                    last_two.rotate_left(1);
                    last_two[1] = Some(field);
                }
                if let [Some(xmin), Some(cmin)] = last_two {
                    self.sent = Sent::Since { xmin, cmin };
                }
                without_last_two(reply);
            }
            Form::Again => {}
        }
    }

    /// The error of a statement, as the user knows it.
    pub fn explained(form: Form, failure: Failure) -> Failure {
        let fields = failure.fields();
        if form == Form::Again && fields.message.contains(SECOND_TIME) {
            let mut own = Failure::new(SqlState::CARDINALITY_VIOLATION, SECOND_TIME).with_hint(
                "Ensure that no rows proposed for insertion within the same command have duplicate constrained \
                 values.",
            );
            own.fields_mut().context.clone_from(&fields.context);
            return own;
        }
        let no_column =
            fields.sqlstate == SqlState::UNDEFINED_COLUMN && fields.message.contains("xmin");
        if form == Form::First && (no_column || fields.sqlstate == SqlState::FEATURE_NOT_SUPPORTED)
        {
            return failure.with_hint(
                "A view or a partitioned table there cannot take an INSERT with ON CONFLICT DO UPDATE in several \
                 statements. Leave out RETURNING, and set batch_size above the number of rows.",
            );
        }
        failure
    }
}

/// The reply as if the last two columns had not been asked for.
fn without_last_two(reply: &mut Reply) {
    if let Some(columns) = &reply.columns {
        let kept = columns.len().saturating_sub(2);
        reply.columns = Some(columns.iter().take(kept).cloned().collect());
    }
    let (mut data, mut starts) = (Vec::new(), Vec::new());
    for index in 0..reply.rows.len() {
        let fields: Vec<_> = reply.fields(index).collect();
        let kept = fields.len().saturating_sub(2);
        starts.push(data.len() as u32);
        data.extend_from_slice(&(kept as u16).to_be_bytes());
        for field in fields.into_iter().take(kept) {
            match field {
                Some(bytes) => {
                    data.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                    data.extend_from_slice(bytes);
                }
                None => data.extend_from_slice(&(-1i32).to_be_bytes()),
            }
        }
    }
    (reply.data, reply.rows) = (data, starts);
}
