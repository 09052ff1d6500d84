//! Names of prepared transactions that can never come again.
//!
//! `shard_fdw:1:<identity>:<database>:<xid>:<nonce>` names a transaction of this coordinator; on a shard,
//! `:<server>:<user>` follows, and `:<part>` where one foreign server
//! describes several databases. The identity tells coordinators apart that share shards. The transaction id alone
//! would not do: one whose WAL was never flushed is given out again after a crash; the nonce is not.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

const MAGIC: &str = "shard_fdw:1:";

/// A two-phase transaction of a coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransactionName {
    /// Which coordinator (`shard.identity`).
    pub identity: u128,
    /// OID of the coordinator's database.
    pub database: u32,
    /// The local transaction's full id; told for people, decides nothing.
    pub xid: u64,
    /// Random, and the key of the lock that the transaction's backend holds while it lives.
    pub nonce: u64,
}

impl TransactionName {
    /// What all names of one coordinator and database begin with.
    pub fn prefix(identity: u128, database: u32) -> String {
        format!("{MAGIC}{identity:032x}:{database}:")
    }
}

impl fmt::Display for TransactionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TransactionName { identity, database, xid, nonce } = self;
        write!(f, "{MAGIC}{identity:032x}:{database}:{xid}:{nonce:016x}")
    }
}

impl FromStr for TransactionName {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<TransactionName, NotOurs> {
        let mut parts = text.strip_prefix(MAGIC).ok_or(NotOurs)?.split(':');
        let name = TransactionName::parse(&mut parts)?;
        if parts.next().is_some() {
            return Err(NotOurs);
        }
        Ok(name)
    }
}

impl TransactionName {
    fn parse<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Result<TransactionName, NotOurs> {
        Ok(TransactionName {
            identity: hex(parts.next(), 32)?,
            database: decimal(parts.next())?,
            xid: decimal(parts.next())?,
            nonce: hex(parts.next(), 16)? as u64,
        })
    }
}

/// A prepared transaction on a shard: the part of a [`TransactionName`] that ran there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Gid {
    /// The transaction it belongs to.
    pub transaction: TransactionName,
    /// OID of the foreign server.
    pub server: u32,
    /// OID of the local role whose user mapping was used.
    pub user: u32,
    /// Tells apart the databases that one foreign server describes; 0 where it is one.
    pub part: u32,
}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.transaction, self.server, self.user)?;
        if self.part == 0 { Ok(()) } else { write!(f, ":{}", self.part) }
    }
}

impl FromStr for Gid {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Gid, NotOurs> {
        let mut parts = text.strip_prefix(MAGIC).ok_or(NotOurs)?.split(':');
        let gid = Gid {
            transaction: TransactionName::parse(&mut parts)?,
            server: decimal(parts.next())?,
            user: decimal(parts.next())?,
            part: parts.next().map_or(Ok(0), |part| decimal(Some(part)))?,
        };
        if parts.next().is_some() || gid.to_string() != text {
            return Err(NotOurs);
        }
        Ok(gid)
    }
}

/// The text names no prepared transaction of shard_fdw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a global transaction identifier of shard_fdw")]
pub struct NotOurs;

fn hex(part: Option<&str>, digits: usize) -> Result<u128, NotOurs> {
    let part = part.filter(|p| p.len() == digits).ok_or(NotOurs)?;
    u128::from_str_radix(part, 16).map_err(|_| NotOurs)
}

fn decimal<T: FromStr>(part: Option<&str>) -> Result<T, NotOurs> {
    part.and_then(|p| p.parse().ok()).ok_or(NotOurs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Gid {
        Gid {
            transaction: TransactionName {
                identity: 0x0123_4567_89ab_cdef_0011_2233_4455_6677,
                database: 16384,
                xid: u64::MAX,
                nonce: 7,
            },
            server: u32::MAX,
            user: 10,
            part: 0,
        }
    }

    #[test]
    fn round_trip() {
        let gid = sample();
        let text = gid.to_string();
        // PostgreSQL's limit is 200 bytes with the terminator (GIDSIZE).
        assert!(text.len() < 200);
        assert_eq!(text.parse(), Ok(gid));
        let part = Gid { part: u32::MAX, ..gid };
        assert!(part.to_string().len() < 200);
        assert_eq!(part.to_string().parse(), Ok(part));
        assert_eq!(gid.transaction.to_string().parse(), Ok(gid.transaction));
        assert!(text.starts_with(&TransactionName::prefix(gid.transaction.identity, 16384)));
    }

    #[test]
    fn others_are_not_ours() {
        let text = sample().to_string();
        for other in [
            "",
            "shard_fdw:1:",
            "shard_fdw:2:0:0:0:0:0:0",
            "my transaction",
            &text[..text.len() - 3],
            &format!("{text}:0"),
            &format!("{text}:1:1"),
            &text.replace("16384", "+16384"),
            &text.replace("0123", "123"),
        ] {
            assert_eq!(other.parse::<Gid>(), Err(NotOurs), "{other}");
        }
        assert_eq!(text.parse::<TransactionName>(), Err(NotOurs));
    }

    #[test]
    fn a_database_is_no_prefix_of_another() {
        assert!(
            !sample()
                .to_string()
                .starts_with(&TransactionName::prefix(sample().transaction.identity, 1638))
        );
    }
}
