//! Whether the database still keeps the log append-only: what the migrations put there is there, as it was written, and nobody
//! has been given a way around it.
//!
//! This is no proof: whoever may change a guard may put it back. It finds what somebody forgot to put back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use crate::connect::EventLog;
use crate::error::LogError;
use crate::migrate::texts;
use crate::read::get;

/// A guard that does not stand, or a way around one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weakness {
    /// What is not as it should be.
    pub says: String,
    /// What to do.
    pub todo: Cow<'static, str>,
}

const AGAIN: &str = "find out who changed it and when, verify the log with `decklog verify` and a head that was kept elsewhere, and \
                     put the guard back as the migration has it";
const TAKE: &str =
    "take that right back: services use the roles decklog_recorder and decklog_reader";

/// Triggers that must stand, with tables and states. Row triggers of a partitioned table are cloned to its partitions, but not
/// their state: each partition has its own.
const TRIGGERS: &str = "
WITH part AS (
    SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = 'public.event'::regclass
), guarded AS (
    SELECT oid FROM part
    UNION ALL SELECT ('public.' || name)::regclass::oid
    FROM (VALUES ('event_id'), ('event_producer'), ('event_version'), ('checkpoint')) AS t(name)
), wanted AS (
    -- Before each update and each delete, for each row; before a truncation, once (pg_trigger.tgtype).
    SELECT oid, 'no_change' AS name, 1 + 2 + 8 + 16 AS fires FROM guarded
    UNION ALL SELECT oid, 'no_truncate', 2 + 32 FROM guarded
    UNION ALL SELECT 'public.event'::regclass::oid, 'no_truncate', 2 + 32
    UNION ALL SELECT ('public.' || name)::regclass::oid, trigger, fires
    FROM (VALUES ('head'), ('detached')) AS t(name),
        (VALUES ('no_change', 1 + 2 + 8), ('no_truncate', 2 + 32), ('no_shrink', 1 + 2 + 16)) AS g(trigger, fires)
)
SELECT 'the trigger ' || w.name || ' of ' || w.oid::regclass::text || CASE WHEN g.oid IS NULL
    THEN ' is not there as the migration made it' ELSE ' does not stand always' END AS says
FROM wanted w LEFT JOIN pg_trigger g ON g.tgrelid = w.oid AND g.tgname = w.name
    AND g.tgfoid = CASE w.name WHEN 'no_shrink' THEN 'public.decklog_refuse_shrink'::regproc
        ELSE 'public.decklog_refuse_change'::regproc END
    AND g.tgtype = w.fires AND g.tgqual IS NULL AND g.tgattr = ''
WHERE g.tgenabled IS DISTINCT FROM 'A'
ORDER BY 1";

/// The tables of the log, which `{tables}` stands for in what is below.
const TABLES: &str = "
SELECT c.oid, c.relname, c.relowner, c.relacl FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND (c.relname IN ('event', 'event_id', 'event_producer', 'event_version', 'head', 'checkpoint', 'detached')
        OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.event'::regclass))";

const FOREIGN: &str = "
SELECT 'the trigger ' || g.tgname::text || ' of ' || t.relname::text || ' is not ours' AS says
FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE t.relnamespace = 'public'::regnamespace AND NOT g.tgisinternal
    AND g.tgname NOT IN ('no_change', 'no_truncate', 'no_shrink')
UNION ALL
SELECT 'the rule ' || r.rulename::text || ' of ' || t.relname::text || ' is not ours'
FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class
WHERE t.relnamespace = 'public'::regnamespace AND r.rulename <> '_RETURN'
ORDER BY 1";

const OWNERS: &str = "
SELECT t.relname::text || ' belongs to ' || pg_get_userbyid(t.relowner)::text
    || ', and not to decklog_owner, who cannot log in' AS says FROM ({tables}) t
WHERE pg_get_userbyid(t.relowner) <> 'decklog_owner' ORDER BY 1";

/// Rights on tables and columns, and on functions that more than the recorder has.
const GRANTS: &str = "
WITH granted AS (
    SELECT t.relname::text AS place, a.privilege_type::text AS what, a.grantee
    FROM ({tables}) t, aclexplode(t.relacl) a
    WHERE a.privilege_type NOT IN ('SELECT', 'REFERENCES') AND a.grantee <> t.relowner
    UNION ALL
    SELECT t.relname::text || '.' || c.attname::text, a.privilege_type::text, a.grantee
    FROM ({tables}) t JOIN pg_attribute c ON c.attrelid = t.oid, aclexplode(c.attacl) a
    WHERE a.privilege_type NOT IN ('SELECT', 'REFERENCES')
    UNION ALL
    SELECT p.proname::text, 'EXECUTE', a.grantee
    FROM pg_proc p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'decklog%' AND a.grantee <> p.proowner
        AND NOT (p.proname IN ('decklog_append', 'decklog_append_checkpoint')
            AND a.grantee = 'decklog_recorder'::regrole)
        AND NOT (p.proname = 'decklog_detach' AND a.grantee = 'decklog_archivist'::regrole)
    UNION ALL
    SELECT p.proname::text, 'ownership', p.proowner FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'decklog%'
        AND p.proowner <> 'decklog_owner'::regrole
)
SELECT CASE grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(grantee)::text END
    || ' has ' || what || ' on ' || place AS says
FROM granted ORDER BY 1";

/// Whoever is the owner, or may turn triggers off, without being a superuser.
const WAYS: &str = "
SELECT pg_get_userbyid(member)::text || ' is a member of decklog_owner' AS says FROM pg_auth_members
WHERE roleid = 'decklog_owner'::regrole AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = member)
UNION ALL
SELECT CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(a.grantee)::text END
    || ' may set session_replication_role'
FROM pg_parameter_acl p, aclexplode(p.paracl) a
WHERE p.parname = 'session_replication_role' AND NOT COALESCE((SELECT rolsuper FROM pg_roles WHERE oid = a.grantee), false)
ORDER BY 1";

const BODIES: &str = "
SELECT proname::text AS name, prosrc::text AS state FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'decklog%' ORDER BY 1";

const SQLITE: &str =
    "SELECT name, sql AS state FROM sqlite_master WHERE type = 'trigger' ORDER BY 1";

const SQLITE_TABLES: &str = "
SELECT name, sql AS state FROM sqlite_master
WHERE name IN ('event', 'checkpoint', 'head', 'detached', 'event_version') ORDER BY 1";

impl EventLog {
    /// Everything that weakens the database's own guard of the log, and what of its archive is not there; nothing where all stands
    /// as it was made.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn weaknesses(&self) -> Result<Vec<Weakness>, LogError> {
        let mut found = self.unarchived().await?;
        if !self.is_postgres() {
            found.extend(self.sqlite_weaknesses().await?);
            return Ok(found);
        }
        for (query, todo) in
            [(TRIGGERS, AGAIN), (FOREIGN, AGAIN), (OWNERS, AGAIN), (GRANTS, TAKE), (WAYS, TAKE)]
        {
            for row in self.rows(query).await? {
                found.push(Weakness { says: get(&row, "says")?, todo: todo.into() });
            }
        }
        found.extend(changed("function", &bodies(texts(true)), &self.named(BODIES).await?));
        Ok(found)
    }

    async fn sqlite_weaknesses(&self) -> Result<Vec<Weakness>, LogError> {
        let mut found = changed("trigger", &triggers(texts(false)), &self.named(SQLITE).await?);
        found.extend(changed("table", &tables(texts(false)), &self.named(SQLITE_TABLES).await?));
        Ok(found)
    }

    async fn rows(&self, query: &'static str) -> Result<Vec<AnyRow>, LogError> {
        let query = sqlx::AssertSqlSafe(query.replace("{tables}", TABLES));
        let rows = sqlx::query(query).fetch_all(&self.any).await;
        rows.map_err(LogError::database("looking at the guards of the log"))
    }

    async fn named(&self, query: &'static str) -> Result<BTreeMap<String, String>, LogError> {
        let rows = self.rows(query).await?;
        rows.iter().map(|row| Ok((get(row, "name")?, get(row, "state")?))).collect()
    }
}

fn again(says: String) -> Weakness {
    Weakness { says, todo: AGAIN.into() }
}

/// What is missing, other, or not ours.
fn changed(
    what: &str,
    wanted: &BTreeMap<String, String>,
    there: &BTreeMap<String, String>,
) -> Vec<Weakness> {
    let mut found = Vec::new();
    for (name, text) in wanted {
        match there.get(name) {
            None => found.push(again(format!("the {what} {name} is not there"))),
            Some(now) if now != text => {
                found.push(again(format!("the {what} {name} is not what the migration made")));
            }
            Some(_) => {}
        }
    }
    let foreign = there.keys().filter(|name| !wanted.contains_key(*name));
    found.extend(foreign.map(|name| again(format!("the {what} {name} is not ours"))));
    found
}

/// The bodies of the functions that the migrations make.
fn bodies<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    const MAKES: &str = "CREATE FUNCTION ";
    let mut found = BTreeMap::new();
    for text in texts {
        // One body may speak of another function: what is behind each beginning is looked at by itself.
        for (at, _) in text.match_indices(MAKES) {
            let made = text.get(at + MAKES.len()..).unwrap_or_default();
            let mut parts = made.splitn(3, "$$");
            let (head, body) = (parts.next().unwrap_or_default(), parts.next());
            if let (Some((name, _)), Some(body)) = (head.split_once('('), body) {
                found.insert(name.to_owned(), body.to_owned());
            }
        }
    }
    found
}

/// The triggers that the migrations make, as SQLite keeps their text.
fn triggers<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for made in texts.flat_map(|text| text.split("CREATE TRIGGER ").skip(1)) {
        let Some((body, _)) = made.split_once("END;") else { continue };
        let name = body.split_whitespace().next().unwrap_or_default().to_owned();
        found.insert(name, format!("CREATE TRIGGER {body}END"));
    }
    found
}

/// The tables of the log, and the index that holds its versions, as SQLite keeps their text.
fn tables<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for text in texts {
        for name in ["event", "checkpoint", "head", "detached"] {
            if let Some(made) = between(text, &format!("CREATE TABLE {name} ("), "\n);") {
                found.insert(name.to_owned(), format!("{made}\n)"));
            }
        }
        if let Some(made) = between(text, "CREATE UNIQUE INDEX event_version ", ";") {
            found.insert("event_version".to_owned(), made.to_owned());
        }
    }
    found
}

/// From where a text begins so until where it ends so.
fn between<'a>(text: &'a str, begins: &str, ends: &str) -> Option<&'a str> {
    let rest = text.get(text.find(begins)?..)?;
    rest.get(..rest.find(ends)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_migrations_make_is_known_by_name() {
        let functions = bodies(texts(true));
        for name in
            ["decklog_append", "decklog_guard", "decklog_refuse_change", "decklog_refuse_shrink"]
        {
            assert!(functions[name].contains("BEGIN"), "{name}: {functions:?}");
        }
        let triggers = triggers(texts(false));
        assert!(triggers["event_no_update"].ends_with("END"), "{triggers:?}");
        assert!(triggers["event_no_replace"].contains("added at its end"));
        let tables = tables(texts(false));
        assert_eq!(tables.len(), 5, "{tables:?}");
        assert!(tables["event"].contains("UNIQUE (producer, pseq)"));
    }
}
