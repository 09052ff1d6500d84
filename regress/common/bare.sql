\set ECHO none
-- The variables and helper functions, but neither extension nor servers.
\ir variables.sql
RESET client_min_messages;
\set ECHO all
