-- Rules, views, triggers, policies, column privileges, definer functions and foreign keys, on foreign tables and sharded
-- parents; where it makes sense beside a local table.
\i common/shards.sql
\set SHOW_CONTEXT never
\c :db0
CREATE TABLE f (id int PRIMARY KEY, v text, n int);
CREATE TABLE t0 (id int PRIMARY KEY, v text, n int);
\c :db1
CREATE TABLE t1 (id int PRIMARY KEY, v text, n int);
\c :coord
CREATE FOREIGN TABLE f (id int, v text, n int) SERVER db0 OPTIONS (schema_name 'public');
CREATE TABLE t (id int NOT NULL, v text, n int);
CREATE FOREIGN TABLE t0 (CHECK (id % 2 = 0)) INHERITS (t) SERVER db0 OPTIONS (schema_name 'public');
CREATE FOREIGN TABLE t1 (CHECK (id % 2 <> 0)) INHERITS (t) SERVER db1 OPTIONS (schema_name 'public');
CREATE TABLE here (id int PRIMARY KEY, v text, n int);
CREATE TABLE log (what text);

-- A statement with %s for the table, on all three: the same rows, or the same error, and the same rows afterwards.
CREATE FUNCTION on_all(statement text, prefix text DEFAULT '', names text[] DEFAULT '{f,t,here}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  got text[]; answers text[] := '{}'; n int; name text;
BEGIN
  FOREACH name IN ARRAY names LOOP
    BEGIN
      IF statement ~ 'RETURNING' THEN
        EXECUTE format('WITH w AS (%s) SELECT array_agg(w::text ORDER BY w::text) FROM w', format(statement, prefix || name)) INTO got;
      ELSE
        EXECUTE format(statement, prefix || name);
        GET DIAGNOSTICS n = ROW_COUNT; got := ARRAY[n::text];
      END IF;
      answers := answers || coalesce(array_to_string(got, ' '), 'nothing');
    EXCEPTION WHEN OTHERS THEN
      answers := answers || (SQLSTATE || ' ' || replace(SQLERRM, name || '"', '%"'));
    END;
  END LOOP;
  IF answers[1] = ALL (answers) THEN RETURN NEXT answers[1];
  ELSE RETURN QUERY SELECT 'DIFFERENT: ' || a FROM unnest(answers) a; END IF;
  RETURN QUERY SELECT * FROM same_rows(format('SELECT id, v, n FROM %s', names[1]), 'SELECT id, v, n FROM here') r WHERE r !~ 'compared';
  RETURN QUERY SELECT * FROM same_rows(format('SELECT id, v, n FROM %s', names[array_upper(names, 1) - 1]), 'SELECT id, v, n FROM here') r WHERE r !~ 'compared';
END $$;
SELECT on_all('INSERT INTO %s SELECT g, ''v'' || g, g FROM generate_series(1, 10) g');

-- Views: updatable as they are, with checks, with barriers, with triggers.
SELECT format('CREATE VIEW low_%1$s AS SELECT id, v, n FROM %1$s WHERE n < 5; CREATE VIEW local_%1$s AS SELECT * FROM low_%1$s WHERE n > 1 WITH LOCAL CHECK OPTION;
  CREATE VIEW cascaded_%1$s AS SELECT * FROM low_%1$s WHERE n > 1 WITH CASCADED CHECK OPTION;
  CREATE VIEW barrier_%1$s WITH (security_barrier) AS SELECT id, v, n FROM %1$s WHERE n < 5;
  CREATE VIEW invoker_%1$s WITH (security_invoker) AS SELECT id, v, n FROM %1$s WHERE n < 5;
  CREATE VIEW trigger_%1$s AS SELECT id, upper(v) AS v, n FROM %1$s', name) FROM unnest(ARRAY['f', 't', 'here']) name \gexec
SELECT on_all('UPDATE %s SET v = v || ''!'' WHERE n > 2 RETURNING id, v, n', 'low_');
SELECT on_all('UPDATE %s SET n = n + 10 WHERE id = 4 RETURNING n', 'low_');
SELECT on_all('INSERT INTO %s VALUES (20, ''not seen'', 20)', 'low_');
SELECT on_all('DELETE FROM %s WHERE id IN (3, 20)', 'low_');
SELECT on_all('INSERT INTO %s VALUES (21, ''local'', 21)', 'local_');
SELECT on_all('INSERT INTO %s VALUES (22, ''local'', 0)', 'local_');
SELECT on_all('UPDATE %s SET n = 0 WHERE id = 2', 'local_');
SELECT on_all('UPDATE %s SET n = 30 WHERE id = 2', 'local_');
SELECT on_all('INSERT INTO %s VALUES (23, ''cascaded'', 23)', 'cascaded_');
SELECT on_all('INSERT INTO %s VALUES (24, ''cascaded'', 3) RETURNING v', 'cascaded_');
SELECT on_all('UPDATE %s SET n = n + 1', 'cascaded_');
SELECT on_all('UPDATE %s SET n = n + 1', 'cascaded_');
SELECT on_all('DELETE FROM %s WHERE v LIKE ''casc%%'' RETURNING id', 'barrier_');
SELECT on_all('UPDATE %s SET n = 4, v = ''barrier'' WHERE id = 1 RETURNING *', 'barrier_');
SELECT on_all('UPDATE %s SET v = ''invoker'' WHERE n < 5 RETURNING *', 'invoker_');
SELECT on_all('UPDATE %s SET v = ''invoker''', 'trigger_');
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  CASE TG_OP WHEN 'INSERT' THEN EXECUTE format('INSERT INTO %s SELECT $1.*', TG_ARGV[0]) USING NEW;
    WHEN 'UPDATE' THEN EXECUTE format('UPDATE %s SET v = lower($1.v), n = $1.n WHERE id = $2.id', TG_ARGV[0]) USING NEW, OLD;
    ELSE EXECUTE format('DELETE FROM %s WHERE id = $1.id', TG_ARGV[0]) USING OLD; RETURN OLD; END CASE;
  RETURN NEW; END $$;
SELECT format('CREATE TRIGGER i INSTEAD OF INSERT OR UPDATE OR DELETE ON trigger_%1$s FOR EACH ROW EXECUTE FUNCTION instead(%1$s)', name) FROM unnest(ARRAY['f', 't', 'here']) name \gexec
SELECT on_all('INSERT INTO %s VALUES (31, ''Instead'', 31), (32, ''Instead'', 32) RETURNING *', 'trigger_');
SELECT on_all('UPDATE %s SET n = n * 2 WHERE id > 30 RETURNING *', 'trigger_');
SELECT on_all('DELETE FROM %s WHERE id = 31 RETURNING *', 'trigger_');

-- Rules; foreign tables cannot have them.
CREATE RULE r AS ON UPDATE TO f DO INSTEAD NOTHING;
SELECT format('CREATE RULE r AS ON UPDATE TO %1$s DO ALSO INSERT INTO log VALUES (OLD.v || '' to '' || NEW.v); CREATE RULE d AS ON DELETE TO %1$s DO INSTEAD UPDATE %1$s SET n = -1 WHERE id = OLD.id', name) FROM unnest(ARRAY['t', 'here']) name \gexec
SELECT on_all('UPDATE %s SET v = ''ruled'' WHERE id IN (1, 2)', '', '{t,here}');
SELECT on_all('DELETE FROM %s WHERE id IN (1, 2)', '', '{t,here}');
SELECT what, count(*) FROM log GROUP BY what ORDER BY what;
SELECT format('DROP RULE r ON %1$s; DROP RULE d ON %1$s; CREATE RULE i AS ON INSERT TO %1$s DO INSTEAD NOTHING', name) FROM unnest(ARRAY['t', 'here']) name \gexec
SELECT on_all('INSERT INTO %s VALUES (40, ''x'', 40)', '', '{t,here}');
SELECT format('DROP RULE i ON %1$s', name) FROM unnest(ARRAY['t', 'here']) name \gexec
DELETE FROM f WHERE id < 3; INSERT INTO f SELECT * FROM here WHERE id < 3;

-- Triggers. As PostgreSQL has it, row triggers of a parent fire for rows inserted through it, those of its children for
-- rows that are there.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO log VALUES (concat_ws(' ', TG_TABLE_NAME, TG_WHEN, TG_LEVEL, TG_OP, CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'INSERT' THEN OLD.v END, CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'DELETE' THEN NEW.v END));
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN NEW.v := NEW.v || '+'; END IF; RETURN NEW; END $$;
DELETE FROM log;
SELECT format('CREATE TRIGGER %2$s_%3$s %2$s INSERT OR UPDATE OR DELETE ON %1$s FOR EACH %3$s EXECUTE FUNCTION note()', name, moment, level)
  FROM unnest(ARRAY['f', 't', 'here']) name, unnest(ARRAY['BEFORE', 'AFTER']) moment, unnest(ARRAY['STATEMENT', 'ROW']) level \gexec
SELECT format('CREATE TRIGGER %2$s_row %2$s UPDATE OR DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION note()', name, moment)
  FROM unnest(ARRAY['t0', 't1']) name, unnest(ARRAY['BEFORE', 'AFTER']) moment \gexec
SELECT on_all('INSERT INTO %s VALUES (50, ''fires'', 50), (51, ''fires'', 51)');
SELECT on_all('UPDATE %s SET v = v || ''u'' WHERE id = 50 RETURNING *');
SELECT on_all('DELETE FROM %s WHERE id = 51');
SELECT fired, string_agg(relation, ', ' ORDER BY relation) FROM log, regexp_replace(what, '^\w+ ', '') fired, split_part(what, ' ', 1) relation
  GROUP BY fired ORDER BY fired COLLATE "C";
SELECT format('DROP TRIGGER %2$s_%3$s ON %1$s', name, moment, level)
  FROM unnest(ARRAY['f', 't', 'here']) name, unnest(ARRAY['before', 'after']) moment, unnest(ARRAY['statement', 'row']) level \gexec
DROP TRIGGER before_row ON t0; DROP TRIGGER after_row ON t0; DROP TRIGGER before_row ON t1; DROP TRIGGER after_row ON t1;
CREATE TRIGGER transition AFTER INSERT ON t REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO t VALUES (52, 'transition', 52);
DROP TRIGGER transition ON t;
CREATE TRIGGER transition AFTER INSERT ON f REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION note();

-- Policies, column privileges, definer functions and whose user mapping is used. regress_owner may log in there,
-- regress_user has no mapping of his own.
CREATE ROLE regress_owner; CREATE ROLE regress_user;
\set ECHO none
SELECT format('CREATE USER MAPPING FOR regress_owner SERVER db%s OPTIONS (user %L, password_required ''false'')', n, 'postgres') FROM generate_series(0, 1) n \gexec
\set ECHO all
GRANT ALL ON f, t, here, log TO regress_owner;
GRANT CREATE ON SCHEMA public TO regress_owner;
SET ROLE regress_owner;
SELECT format('CREATE VIEW own_%1$s AS SELECT id, v, n FROM %1$s WHERE id < 100; GRANT SELECT, UPDATE (v), DELETE, INSERT ON own_%1$s TO regress_user', name) FROM unnest(ARRAY['f', 't', 'here']) name \gexec
CREATE FUNCTION define(statement text) RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ DECLARE n int; BEGIN EXECUTE statement; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
RESET ROLE;
-- As another user. What he has done is seen when it is committed: he has connections of his own.
CREATE FUNCTION as_user(statement text, prefix text DEFAULT 'own_') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE answers text[] := '{}'; name text; n int;
BEGIN
  FOREACH name IN ARRAY ARRAY['f', 't', 'here'] LOOP
    BEGIN
      SET LOCAL ROLE regress_user;
      EXECUTE format(statement, prefix || name);
      GET DIAGNOSTICS n = ROW_COUNT; answers := answers || n::text;
    EXCEPTION WHEN OTHERS THEN
      answers := answers || (SQLSTATE || ' ' || regexp_replace(SQLERRM, 'for .*', ''));
    END;
    RESET ROLE;
  END LOOP;
  RETURN NEXT array_to_string(answers, ' | ');
END $$;
SELECT as_user('UPDATE %s SET v = ''by view'' WHERE id = 5');
SELECT as_user('UPDATE %s SET v = v || ''!'' WHERE random() < 2 AND id = 6');
SELECT as_user('UPDATE %s SET n = 0 WHERE id = 5');
SELECT as_user('INSERT INTO %s VALUES (60, ''by view'', 60), (61, ''by view'', 61)');
SELECT as_user('INSERT INTO %s VALUES (60, ''by view'', 60) ON CONFLICT DO NOTHING');
SELECT as_user('DELETE FROM %s WHERE id = 60');
SELECT as_user('SELECT * FROM %s WHERE id = 61');
SELECT as_user('SELECT * FROM %s WHERE id = 61', '');
SELECT as_user('SELECT define(''UPDATE %s SET n = n + 1 WHERE id = 61'')', '');
SELECT as_user('SELECT define(''INSERT INTO %s VALUES (70, NULL, 1)'')', '');
SELECT on_all('UPDATE %s SET n = n WHERE id = 0');
-- The table's own privileges, with a mapping, column by column.
\set ECHO none
SELECT format('CREATE USER MAPPING FOR regress_user SERVER db%s OPTIONS (user %L, password_required ''false'')', n, 'postgres') FROM generate_series(0, 1) n \gexec
\set ECHO all
GRANT SELECT (id, v), UPDATE (v), INSERT (id, v) ON f, t, here TO regress_user;
SELECT as_user('UPDATE %s SET v = ''mine'' WHERE id = 61', '');
SELECT as_user('UPDATE %s SET v = n::text WHERE id = 61', '');
SELECT as_user('UPDATE %s SET n = 1 WHERE id = 61', '');
SELECT as_user('INSERT INTO %s (id, v) VALUES (62, ''mine'')', '');
SELECT as_user('INSERT INTO %s (id, v) VALUES (63, ''mine'') RETURNING n', '');
SELECT as_user('INSERT INTO %s VALUES (63, ''mine'', 1)', '');
SELECT as_user('DELETE FROM %s', '');
SELECT on_all('UPDATE %s SET n = n WHERE id = 0');
-- Policies: foreign tables cannot have them.
ALTER TABLE f ENABLE ROW LEVEL SECURITY;
GRANT ALL ON t, here TO regress_user;
SELECT format('ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY; CREATE POLICY s ON %1$s FOR SELECT USING (id < 100); CREATE POLICY i ON %1$s FOR INSERT WITH CHECK (n < 100);
  CREATE POLICY u ON %1$s FOR UPDATE USING (n > 5) WITH CHECK (n < 200); CREATE POLICY d ON %1$s FOR DELETE USING (n = 9)', name) FROM unnest(ARRAY['t', 'here']) name \gexec
CREATE FUNCTION policy(statement text) RETURNS SETOF text LANGUAGE sql AS
  $$ SELECT CASE WHEN r ~ '\|' THEN regexp_replace(r, '^[^|]*\| ', '') ELSE r END FROM as_user(statement, '') r $$;
DELETE FROM f;
SELECT policy('INSERT INTO %s VALUES (80, ''p'', 80)');
SELECT policy('INSERT INTO %s VALUES (81, ''p'', 181)');
SELECT policy('INSERT INTO %s VALUES (180, ''p'', 80)');
SELECT policy('INSERT INTO %s VALUES (181, ''p'', 80) RETURNING id');
SELECT policy('UPDATE %s SET v = ''policy''');
SELECT policy('UPDATE %s SET n = 500 WHERE id = 80');
SELECT policy('UPDATE %s SET n = 5 WHERE id = 80');
SELECT policy('DELETE FROM %s');
SELECT policy('DELETE FROM %s WHERE id = 8 RETURNING *');
SELECT same_rows('SELECT id, v, n FROM t', 'SELECT id, v, n FROM here');
SELECT format('ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY', name) FROM unnest(ARRAY['t', 'here']) name \gexec

-- Foreign keys.
CREATE TABLE refs (id int);
ALTER TABLE refs ADD FOREIGN KEY (id) REFERENCES f (id);
ALTER TABLE refs ADD FOREIGN KEY (id) REFERENCES t0 (id);
ALTER FOREIGN TABLE f ADD FOREIGN KEY (id) REFERENCES here (id);
ALTER TABLE refs ADD FOREIGN KEY (id) REFERENCES t (id);
ALTER TABLE t ADD CONSTRAINT t_fkey FOREIGN KEY (id) REFERENCES here (id);
INSERT INTO t VALUES (1001, 'x', 1);
ALTER TABLE t DROP CONSTRAINT t_fkey;
-- A key of the parent is that of its own, empty heap: what refers to it finds nothing.
ALTER TABLE t ADD CONSTRAINT t_key UNIQUE (id);
ALTER TABLE refs ADD CONSTRAINT refs_fkey FOREIGN KEY (id) REFERENCES t (id);
INSERT INTO refs SELECT id FROM t ORDER BY id LIMIT 1;
