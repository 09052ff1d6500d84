-- Who may use a cluster, and who logs in.
\i common/plproxy.sql
CREATE ROLE regress_a; CREATE ROLE regress_b; CREATE ROLE regress_far SUPERUSER LOGIN;
SELECT replace(:'p0', 'user=postgres', '') AS bare0 \gset
CREATE SERVER u FOREIGN DATA WRAPPER plproxy OPTIONS (p0 :'bare0');
CREATE FUNCTION who() RETURNS text LANGUAGE plproxy AS $$ CLUSTER 'u'; RUN ON 0; SELECT current_user::text; $$;
GRANT EXECUTE ON FUNCTION who() TO PUBLIC;
\c :db0
CREATE ROLE regress_far LOGIN;
CREATE ROLE regress_farther LOGIN;
\c :coord
-- The right to use the server is looked at first, then the mapping.
SET ROLE regress_a;
SELECT expect_error('SELECT who()');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER u TO regress_a, regress_b;
SET ROLE regress_a;
SELECT expect_error('SELECT who()');
RESET ROLE;
-- One's own mapping, else that of PUBLIC; without a user in it one's own name.
CREATE USER MAPPING FOR PUBLIC SERVER u OPTIONS (user 'regress_far');
SET ROLE regress_a;
SELECT who();
RESET ROLE;
CREATE USER MAPPING FOR regress_a SERVER u OPTIONS (user 'regress_farther');
SET ROLE regress_a;
SELECT who();
SET ROLE regress_b;
SELECT who();
RESET ROLE;
-- ALTER USER MAPPING takes effect at the next call.
ALTER USER MAPPING FOR regress_a SERVER u OPTIONS (SET user 'regress_far');
SET ROLE regress_a;
SELECT who();
RESET ROLE;
ALTER USER MAPPING FOR PUBLIC SERVER u OPTIONS (DROP user);
SELECT who();
SET ROLE regress_b;
SELECT expect_error('SELECT who()');
RESET ROLE;
-- SECURITY DEFINER: the owner connects, and needs the right.
CREATE FUNCTION who_owner() RETURNS text SECURITY DEFINER LANGUAGE plproxy AS $$ CLUSTER 'u'; RUN ON 0; SELECT current_user::text; $$;
ALTER FUNCTION who_owner() OWNER TO regress_a;
SELECT who_owner();
SET ROLE regress_b;
SELECT who_owner();
RESET ROLE;
-- user= in the connection string counts as it is; a mapping is still needed.
ALTER SERVER u OPTIONS (SET p0 :'p0');
SET ROLE regress_a;
SELECT who();
RESET ROLE;
DROP USER MAPPING FOR PUBLIC SERVER u;
SET ROLE regress_b;
SELECT expect_error('SELECT who()');
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER u FROM regress_a;
SET ROLE regress_a;
SELECT expect_error('SELECT who()');
RESET ROLE;
-- CONNECT: the current user.
CREATE FUNCTION who_at(dsn text) RETURNS text LANGUAGE plproxy AS $$ CONNECT dsn; SELECT current_user::text; $$;
SELECT who_at(:'bare0');
SET ROLE regress_far;
SELECT who_at(:'bare0');
RESET ROLE;
-- The language is untrusted.
SELECT lanpltrusted FROM pg_language WHERE lanname = 'plproxy';
GRANT CREATE ON SCHEMA public TO regress_a;
SET ROLE regress_a;
CREATE FUNCTION mine() RETURNS int LANGUAGE plproxy AS $$ CONNECT 'x'; $$;
RESET ROLE;
