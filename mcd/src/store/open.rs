//! Opens the database: pragmas, migrations with a copy before them, refusal of what is not ours.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::StoreError;

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// Marks the file as ours: `MCtl`.
const APPLICATION_ID: i64 = 0x4d43_746c;
const OLDEST_SQLITE: i32 = 3_051_003;
const BUSY: Duration = Duration::from_secs(5);

/// Opens the one writing connection, with an up-to-date schema.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite(rusqlite::version().to_owned()));
    }
    let io_error = |source| StoreError::Io { path: path.to_path_buf(), source };
    let is_new = match fs::metadata(path) {
        Ok(found) => found.len() == 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(io_error(error)),
    };
    let mut db = Connection::open(path)?;
    if !is_new {
        check_owner(&db, path)?;
    }
    prepare(&db)?;
    db.set_transaction_behavior(TransactionBehavior::Immediate);
    if is_new {
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        restrict(path).map_err(io_error)?;
    }
    let mode: String = db.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Damaged(format!("journal mode is {mode}, not wal")));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "cache_size", -4096)?;
    bring_up_to_date(&mut db, path, is_new)?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(db)
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    prepare(&db)?;
    db.pragma_update(None, "cache_size", -1024)?;
    db.pragma_update(None, "query_only", true)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Opens a connection that only folds the log into the database.
pub(super) fn checkpointer(path: &Path) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    prepare(&db)?;
    db.pragma_update(None, "cache_size", -256)?;
    Ok(db)
}

fn prepare(db: &Connection) -> Result<(), StoreError> {
    db.busy_timeout(BUSY)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Without it a statement is parsed and planned anew whenever a bound value may bear on its plan.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "mmap_size", 0)?;
    Ok(())
}

fn check_owner(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: Result<i64, _> = db.query_row("PRAGMA application_id", [], |row| row.get(0));
    match found {
        Ok(APPLICATION_ID) => Ok(()),
        Ok(_) => Err(StoreError::Foreign { path: path.to_path_buf() }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(StoreError::Foreign { path: path.to_path_buf() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs the migrations that are missing, all in one transaction, after a copy.
fn bring_up_to_date(db: &mut Connection, path: &Path, is_new: bool) -> Result<(), StoreError> {
    let runner = embedded::migrations::runner().set_grouped(true);
    let known = runner.get_migrations().iter().map(|m| i64::from(m.version())).max().unwrap_or(0);
    let found = schema_version(db)?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found == known {
        return Ok(());
    }
    if !is_new {
        copy_before(db, path, found)?;
    }
    runner.run(db)?;
    Ok(())
}

/// Returns the newest migration that was applied; 0 for a database without tables.
fn schema_version(db: &Connection) -> Result<i64, StoreError> {
    if !db.table_exists(None, "refinery_schema_history")? {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    Ok(db.query_row(version, [], |row| row.get(0))?)
}

/// Copies the database, so that a migration that went wrong can be taken back by hand.
fn copy_before(db: &Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let copy = path.with_extension(format!("db.v{version}.bak"));
    let io_error = |source| StoreError::Io { path: copy.clone(), source };
    if copy.exists() {
        fs::remove_file(&copy).map_err(io_error)?;
    }
    db.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    restrict(&copy).map_err(io_error)
}

fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}
