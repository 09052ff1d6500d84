-- Values of every type, through a foreign table and back: they are the same values, byte by byte, under
-- any settings of either side (the shards' own are odd already, see run.sh).
\i common/shards.sql
-- An empty tsquery is worth a NOTICE wherever it is read.
SET client_min_messages = warning;
\c :db0
\i common/types.sql
\c :coord
SET client_min_messages = warning;
-- The same tables here: what the values should be.
\i common/types.sql
CREATE FUNCTION foreign_twin(t regclass, batch int DEFAULT 1000, server text DEFAULT 'db0') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE (SELECT format('CREATE FOREIGN TABLE f_%s (%s) SERVER %I OPTIONS (schema_name ''public'', table_name %L, fetch_size %L)',
      t, string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum), server, t, batch::text)
    FROM pg_attribute WHERE attrelid = t AND attnum > 0);
END $$;
SELECT foreign_twin(t) FROM unnest('{scalars,times,others,many,users}'::regclass[]) t;

-- Rows of NULLs and of edge values. The columns of one row have nothing to do with each other.
INSERT INTO scalars (id) VALUES (0);
INSERT INTO scalars VALUES
 (1, true, 'a', -32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN', '-99999999.99', '-92233720368547758.08',
  '', '', '', '', '', '', '', '00000000-0000-0000-0000-000000000000', 'null', 'null', '$', ''),
 (2, false, '', 32767, 2147483647, 9223372036854775807, 'Infinity', 'Infinity', 'Infinity', 'NaN', '92233720368547758.07',
  E'\\ \' " \t\r\n\x01\x7f', 'größer €', 'größe', 'ab   ', 'ö', 'größer', '\x00', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  ' {"a" :1, "a":2, "b" : [] } ', '{"a": 1.00, "b": [null, true, {"ü": "\"\\\u0001"}]}',
  'strict $.a[*] ? (@.b > 1 && @.c like_regex "^ö" flag "i")', '<a b="ö">x<![CDATA[<]]></a>'),
 (3, NULL, '\200', 0, 0, 0, '-Infinity', '-Infinity', '-Infinity', '0', '0', 'x', 'x', 'x', ' ', ' ', repeat('n', 63), '\x5c27225c78',
  '01234567-89ab-cdef-0123-456789abcdef', '"\ud83d\ude00"', '1e-5', '$[last]', 'text <b/> more'),
 (4, true, '\377', 1, 1, 1, '-0', '-0', '0.000', '1.50', '-0.01', '  ', '  ', '     ', 'ab', 'abcde', 'NULL', '\xff', NULL,
  '[]', '"NULL"', '$.*', '<?xml version="1.0"?><a/>'),
 (5, true, E'\\', -1, -1, -1, '1.1', '0.1', '12345678901234567890123456789012345678901234567890.0987654321', '0.01', '1.23', 'NULL', '{', ',', '"', '(', ')',
  '\x', NULL, '0.0', '0', '$."a b"', '<!-- -->'),
 (6, true, '''', 2, 2, 2, '1e-45', '5e-324', '1e-100', '-0.01', '1000', 'a', 'b', 'c', 'd', 'e', 'f', '\x0001', NULL, NULL, NULL, NULL, NULL),
 (7, true, '1', 3, 3, 3, '3.4028235e38', '1.7976931348623157e308', '-1e100', '10000', '1000000.5', 'a', 'b', 'c', 'd', 'e', 'f', '\x0001', NULL, NULL, NULL, NULL, NULL),
 (8, true, '1', 3, 3, 3, '0.3333333', '0.3333333333333333', '10000', '10000.0001', '1', 'a', 'b', 'c', 'd', 'e', 'f', '\x0001', NULL, NULL, NULL, NULL, NULL);
-- The widest and the finest numeric.
INSERT INTO scalars (id, c_numeric) VALUES (20, repeat('9', 131072)::numeric), (21, ('0.' || repeat('0', 16382) || '7')::numeric),
  (22, ('-' || repeat('12345', 3000) || '.' || repeat('54321', 3000))::numeric), (23, '0.10'), (24, '100'), (25, 1e63), (26, 1e64), (27, 1e252), (28, 1e256), (29, '1e-63'), (30, '1e-64');
-- A megabyte, compressible and not.
INSERT INTO scalars (id, c_text, c_bytea, c_varchar, c_jsonb)
  SELECT 40, repeat('größer', 200000), decode(repeat('00ff', 500000), 'hex'), t, jsonb_build_object('k', t)
  FROM (SELECT string_agg(md5(i::text), '' ORDER BY i) t FROM generate_series(1, 32768) i) s;

INSERT INTO times (id) VALUES (0);
INSERT INTO times VALUES
 (1, '-infinity', '00:00', '00:00', '00:00+15:59', '-infinity', '-infinity', '-infinity', '-infinity',
  '-178956970 years -8 mons -2147483648 days -2562047788:00:54.775807', '-1 day +02:03:04.56', '-1 year', '{}', '{}', '{}'),
 (2, 'infinity', '24:00', '24:00', '24:00-15:59', 'infinity', 'infinity', 'infinity', 'infinity',
  '178956970 years 7 mons 2147483647 days 2562047788:00:54.775807', '0', '0', '{infinity,-infinity,NULL}', '{infinity,-infinity,NULL}', '{NULL}'),
 (3, '4713-01-01 BC', '23:59:59.999999', '23:59:59.99', '12:34:56.789012+05:45', '4713-01-01 BC', '4713-01-01 BC',
  '4713-01-01 00:00:00+00 BC', '4713-01-02 00:00:00+00 BC', '1 year -2 mons 3 days -04:05:06.7', '1.555 seconds', '3 months',
  '{"0044-03-15 BC",2000-02-29}', '{"0044-03-15 12:00:00+00 BC"}', '{-1 day,-1 day +1 hour,-1 year -1 day,@ 1 month ago}'),
 (4, '5874897-12-31', '00:00:00.000001', '12:34:56.789', '00:00:00.000001-00:00:01', '294276-12-31 23:59:59.999999', '2020-12-31 23:59:59.5',
  '294276-12-31 23:59:59.999999+00', '2020-06-30 23:59:59.9995+00', '-1 mons +1 day -00:00:00.000001', '-1 day -1 second', '-13 months',
  '{01-02-2003}', '{"2003-02-01 00:00:00+00","1890-01-01 00:00:00+00"}', '{1 mon 1 day}'),
 (5, '0001-12-31 BC', '01:02:03.4', '01:02:03.4', '01:02:03.4+00', '0001-12-31 23:59:59.999999 BC', '1999-01-08 04:05:06', '1890-01-01 00:00:00+00', '2004-10-19 10:23:54.123+02',
  '-1 days', '-04:05:06.78', '1 mon', NULL, NULL, NULL),
 (6, '1999-01-08', NULL, NULL, NULL, '2020-03-29 02:30:00', NULL, '2020-10-25 00:30:00+00', NULL, '-1 years +2 mons', NULL, NULL, NULL, NULL, NULL);

INSERT INTO others (id) VALUES (0);
INSERT INTO others VALUES
 (1, '0.0.0.0/0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '000', '', '', '(0,-0)', '[(0,0),(0,0)]', '((1,2))', '(0,0),(0,0)',
  '((0,0))', '{1,2,3}', '<(0,0),0>', '', '', '0/0', '10:10:', 0, '0', '0', '0', '(0,0)', '', '', '', '-', '-', '-', '-', '0', '0', '-', '-', '-', '-', '-'),
 (2, '255.255.255.255/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '101', '1', '10110', '(NaN,Infinity)', '[(1.1,2.2),(3.3,4.4)]',
  '[(1,2),(3,4)]', '(3.3,4.4),(1.1,2.2)', '((0,0),(1,1),(1,0))', '{0.1,-1e-300,1e300}', '<(1.5,-2.5),3.3333333333333335>', $$'größer':1A,3B 'it''s':2 'a b' '\\'$$,
  $$'größer' & !('b':*A | 'it''s':BC) <2> 'd'$$, 'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', 4294967295, '4294967295', '18446744073709551615', '4294967295',
  '(4294967295,65535)', '1 -2 3', '1 4294967295', 'a "b"', 'pg_class', 'timestamp(3) with time zone', 'pg_catalog.now', 'abs(integer)', 'pg_catalog.||/', '+(integer,integer)',
  'postgres', 'pg_catalog', 'english', 'simple', '"C"');
INSERT INTO others (id, c_inet, c_cidr, c_varbit, c_regclass, c_regtype) VALUES
 (3, '::/0', '::/0', repeat('10', 5000)::varbit, 'information_schema.tables', 'integer[]'),
 (4, '2001:db8::ff00:42:8329/64', '2001:db8::/32', NULL, NULL, NULL);

INSERT INTO many (id) VALUES (0);
INSERT INTO many VALUES
 (1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}', '{}', '{}', '{}', '{}'),
 (2, '[-2:0][5:6]={{1,2},{3,NULL},{5,-2147483648}}', '{"a b",NULL,"NULL","",größer,"\"\\{},"}', '{abc,"",ö}', '{1.5,NaN,-12345.678,NULL,0}', '{t,f,NULL}',
  '{NaN,Infinity,-0,0.1,5e-324}', ARRAY['\x00ff', '\x', NULL]::bytea[], ARRAY['{"a": "b\\c"}', 'null', NULL]::jsonb[], '{00000000-0000-0000-0000-000000000001}',
  '{(3,4),(1,2);(7,8),(5,6)}', ARRAY['a', '', E'\\', '\200', NULL]::"char"[], '{größer,"a b",""}', '{1.23,-4}', ARRAY['<a/>', 'b <c/>', NULL]::xml[],
  ARRAY[$$'a':1 'b c'$$, '']::tsvector[], '{10,01}', '{::1,1.2.3.4/8}', '{integer,"timestamp with time zone"}',
  '[-2147483648,5)', '(,9223372036854775807)', '(-1.50,Infinity]', '[-infinity,"0044-03-15 BC")', '["0044-03-15 12:00:00 BC",infinity]', '["2020-01-01 00:00:00+00",)',
  '{"[1,5)",empty,NULL,"(,)"}', '{[1,2),[5,9),(,-5)}', '{[1.10,2.200]}', '{["2020-01-01 00:00:00+00","2021-01-01 00:00:00+00"),[2022-01-01,infinity]}', '{(,2020-01-01),[2021-01-01,)}'),
 (3, '{{{1},{2}},{{3},{4}}}', '[0:1]={a,b}', NULL, '[5:5]={1}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
  '(,)', '[1,1]', '[0.1,0.10]', '(,)', '(,)', '(,)', NULL, '{(,)}', '{(,)}', '{(,)}', '{(,)}');
INSERT INTO many (id, c_int4, c_text) SELECT 4, array_agg(i), array_agg(md5(i::text)) FROM generate_series(1, 20000) i;

INSERT INTO users (id) VALUES (0);
INSERT INTO users VALUES
 (1, 'sad', '{}', 1, 99, '', '{}', '0', '{}', 'sad', '(,)', '{}', '(,,,,,,,,,,)', '{}', '(1,)', 'empty', 'postgres=r/postgres'),
 (2, 'it''s "ok", {really}', ARRAY['sad', NULL, 'it''s "ok", {really}', 'größer']::mood[], 2147483647, 1, 'ö"\', '[0:1]={1,2}', '1.5', '{1.239,NULL,-0.01}', 'größer',
  ROW(-1, E' "q" \\ (,) \n'), ARRAY[ROW(1, ''), NULL, ROW(NULL, 'NULL'), ROW(NULL, NULL)]::pair[],
  ROW(9223372036854775807, ROW(1, 'größer'), '0044-03-15 12:00:00+00 BC', '-1 year 2 days -03:04:05.6', '-1234.50', 'a <b/>', 0.1, '\x00ff5c', 'größer', 'numeric', '{1.5,NULL}'),
  ARRAY[ROW(1, NULL, 'infinity', '-1 mon 1 day', '0.01', NULL, 'NaN', '', 'sad', 'thing', '{}'), NULL]::thing[], '(3,"a b")', '[1.50,2)', 'postgres=arwdDxt*/postgres');

-- Written through the foreign tables and read back; then compared on the shard itself, as bytes.
INSERT INTO f_scalars TABLE scalars;
INSERT INTO f_times TABLE times;
INSERT INTO f_others TABLE others;
INSERT INTO f_many TABLE many;
INSERT INTO f_users TABLE users;
SELECT same_rows('TABLE f_scalars', 'TABLE scalars');
SELECT same_rows('TABLE f_times', 'TABLE times');
SELECT same_rows('TABLE f_others', 'TABLE others');
SELECT same_rows('TABLE f_many', 'TABLE many');
SELECT same_rows('TABLE f_users', 'TABLE users');
-- Not only their text: what is stored is the same (one sum for both sides).
\! for t in scalars times many others; do q="COPY (SELECT * FROM $t ORDER BY id) TO STDOUT (FORMAT binary)"; for db in "$SHARD_DB0" "$SHARD_COORD"; do psql "$db" -XqAtc "$q" | md5sum; done | uniq | wc -l; done
-- By COPY: under usual settings, then under odd ones (where not every text can be read back, not even here).
SELECT current_setting('data_directory') || '/types' AS file \gset
CREATE PROCEDURE copy_over(file text, format text, tables text[]) LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY tables LOOP
    EXECUTE format('TRUNCATE f_%s', t);
    EXECUTE format('COPY %s TO %L (FORMAT %s)', t, file, format);
    EXECUTE format('COPY f_%s FROM %L (FORMAT %s)', t, file, format);
  END LOOP;
END$$;
BEGIN;
SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 1;
CALL copy_over(:'file', 'text', '{scalars,times,others,many,users}');
COMMIT;
SELECT same_rows('TABLE f_' || t, 'TABLE ' || t) FROM unnest('{scalars,times,others,many,users}'::text[]) t;
\! for t in scalars times many others; do q="COPY (SELECT * FROM $t ORDER BY id) TO STDOUT (FORMAT binary)"; for db in "$SHARD_DB0" "$SHARD_COORD"; do psql "$db" -XqAtc "$q" | md5sum; done | uniq | wc -l; done
BEGIN;
SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL intervalstyle = 'sql_standard'; SET LOCAL extra_float_digits = 0; SET LOCAL bytea_output = 'escape'; SET LOCAL timezone = 'America/New_York';
CALL copy_over(:'file', 'binary', '{scalars,times,many}');
COMMIT;
SELECT same_rows('TABLE f_' || t, 'TABLE ' || t) FROM unnest('{scalars,times,others,many,users}'::text[]) t;
\! for t in scalars times many others; do q="COPY (SELECT * FROM $t ORDER BY id) TO STDOUT (FORMAT binary)"; for db in "$SHARD_DB0" "$SHARD_COORD"; do psql "$db" -XqAtc "$q" | md5sum; done | uniq | wc -l; done

-- The big ones were compared; what follows reads everything many times.
DELETE FROM scalars WHERE id BETWEEN 20 AND 22 OR id = 40;
DELETE FROM f_scalars WHERE id BETWEEN 20 AND 22 OR id = 40;
DELETE FROM many WHERE id = 4;
DELETE FROM f_many WHERE id = 4;

-- Row by row, few at a time, all at once.
CREATE FUNCTION fetch_size(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY '{scalars,times,others,many,users}'::text[] LOOP
    EXECUTE format('ALTER FOREIGN TABLE f_%s OPTIONS (SET fetch_size %L)', t, n);
  END LOOP;
END $$;
-- All tables at once: what differs, and how many tables were compared.
CREATE FUNCTION all_same() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text; line text; n int := 0;
BEGIN
  FOREACH t IN ARRAY '{scalars,times,others,many,users}'::text[] LOOP
    FOR line IN SELECT same_rows('TABLE f_' || t, 'TABLE ' || t) LOOP
      IF line LIKE 'only in%' THEN RETURN NEXT left(line, 200); ELSE n := n + 1; END IF;
    END LOOP;
  END LOOP;
  RETURN NEXT n || ' tables compared';
END $$;
-- Every column on its own; a row of the foreign table is fetched by its key for each value.
CREATE FUNCTION values_that_differ() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text; c text; n int := 0; bad text;
BEGIN
  FOR t, c IN SELECT attrelid::regclass, attname FROM pg_attribute
              WHERE attrelid = ANY ('{scalars,times,others,many,users}'::regclass[]) AND attnum > 0 AND NOT attisdropped LOOP
    EXECUTE format('SELECT string_agg(w.id::text, %L) FROM %I w WHERE ROW(w.%I)::text COLLATE "C" IS DISTINCT FROM (SELECT ROW(f.%I)::text FROM f_%s f WHERE f.id = w.id)', ', ', t, c, c, t) INTO bad;
    IF bad IS NOT NULL THEN RETURN NEXT format('%s.%s: %s', t, c, bad); END IF;
    n := n + 1;
  END LOOP;
  RETURN NEXT n || ' columns compared';
END $$;
SELECT fetch_size(1);
SELECT all_same();
SELECT fetch_size(3);
SELECT all_same();
SELECT fetch_size(1000);
SELECT values_that_differ();
-- Every value finds itself, where its type has an equality: as a parameter of the remote query.
CREATE FUNCTION values_not_found() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text; c text; n int := 0; bad text;
BEGIN
  FOR t, c IN SELECT attrelid::regclass, attname FROM pg_attribute
              WHERE attrelid = ANY ('{scalars,times,others,many,users}'::regclass[]) AND attnum > 0 AND NOT attisdropped LOOP
    BEGIN
      EXECUTE format('SELECT string_agg(w.id::text, %L) FROM %I w WHERE %I IS NOT NULL AND NOT EXISTS (SELECT FROM f_%s f WHERE f.%I = w.%I OFFSET 0)', ', ', t, c, t, c, c) INTO bad;
      IF bad IS NOT NULL THEN RETURN NEXT format('%s.%s: %s', t, c, bad); END IF;
      n := n + 1;
    EXCEPTION WHEN undefined_function THEN NULL;
    END;
  END LOOP;
  RETURN NEXT n || ' columns searched';
END $$;
SELECT values_not_found();

-- Reading under odd settings of the session.
SET DateStyle = 'SQL, DMY';
SELECT all_same();
SET DateStyle = 'German';
SELECT all_same();
SET DateStyle = 'Postgres, MDY';
SELECT all_same();
RESET DateStyle;
SET IntervalStyle = sql_standard;
SELECT all_same();
SET IntervalStyle = iso_8601;
SELECT all_same();
SET IntervalStyle = postgres_verbose;
SELECT all_same();
RESET IntervalStyle;
SET TimeZone = 'Asia/Kathmandu';
SELECT all_same();
SET TimeZone = 'America/New_York';
SELECT all_same();
RESET TimeZone;
SET extra_float_digits = 0;
SELECT all_same();
SET extra_float_digits = -15;
SELECT all_same();
RESET extra_float_digits;
SET bytea_output = escape;
SELECT all_same();
RESET bytea_output;
SET xmloption = document;
SELECT all_same();
RESET xmloption;
SET array_nulls = off;
SELECT all_same();
RESET array_nulls;
SET search_path = public, pg_catalog;
SELECT all_same();
RESET search_path;
SET client_encoding = LATIN1;
SELECT all_same();
SET client_encoding = SQL_ASCII;
SELECT all_same();
RESET client_encoding;
-- The client's encoding changes while rows are being fetched.
BEGIN;
DECLARE c CURSOR FOR SELECT c_text::text COLLATE "C" = '{"a b",NULL,"NULL","",größer,"\"\\{},"}' FROM f_many WHERE id IN (2, 3);
DECLARE d CURSOR FOR SELECT c_tsvector, c_name FROM (SELECT 1 id, c_tsvector, NULL::name[] c_name FROM f_others WHERE id = 2 UNION ALL SELECT 2, NULL, c_name FROM f_many WHERE id = 2) s ORDER BY id;
FETCH 1 FROM c;
FETCH 1 FROM d;
SET client_encoding = LATIN1;
FETCH 1 FROM c;
SET client_encoding = UTF8;
FETCH 1 FROM d;
COMMIT;

-- Writing under odd settings.
CREATE FUNCTION write_again() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text; sets text;
BEGIN
  FOREACH t IN ARRAY '{scalars,times,others,many,users}'::text[] LOOP
    EXECUTE format('DELETE FROM f_%s', t);
    EXECUTE format('INSERT INTO f_%s TABLE %s', t, t);
    -- Empty the rows and fill them by UPDATE.
    SELECT string_agg(format('%I = NULL', attname), ', ') FROM pg_attribute
      WHERE attrelid = t::regclass AND attnum > 1 INTO sets;
    EXECUTE format('UPDATE f_%s SET %s WHERE id %% 2 = 0', t, sets);
    SELECT string_agg(format('%I = w.%I', attname, attname), ', ') FROM pg_attribute
      WHERE attrelid = t::regclass AND attnum > 1 INTO sets;
    EXECUTE format('UPDATE f_%s f SET %s FROM %s w WHERE w.id = f.id AND f.id %% 2 = 0', t, sets, t);
  END LOOP;
  RETURN QUERY SELECT all_same();
END $$;
SELECT write_again();
SET DateStyle = 'SQL, DMY'; SET IntervalStyle = sql_standard; SET TimeZone = 'Asia/Kathmandu'; SET extra_float_digits = -15;
SET bytea_output = escape; SET search_path = public, pg_catalog; SET client_encoding = LATIN1; SET xmloption = document; SET array_nulls = off;
SELECT write_again();
SELECT values_not_found();
SET DateStyle = 'German'; SET IntervalStyle = postgres_verbose; SET TimeZone = 'America/New_York'; SET extra_float_digits = 0;
SET client_encoding = SQL_ASCII;
SELECT write_again();
RESET ALL;
SET client_min_messages = warning;
SELECT all_same();
\! for t in scalars times many others; do q="COPY (SELECT * FROM $t ORDER BY id) TO STDOUT (FORMAT binary)"; for db in "$SHARD_DB0" "$SHARD_COORD"; do psql "$db" -XqAtc "$q" | md5sum; done | uniq | wc -l; done
