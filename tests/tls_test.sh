#!/usr/bin/env bash
# sslmode from disable to verify-full, good and bad certificates, client certificates.
# shellcheck source=tests/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cluster_begin "$TREE"
coordinator ""
shard main
foreign main

# A certificate authority, another one, server certificates, a client certificate.
certs=$WORK/certs
mkdir "$certs"
openssl_quiet() { openssl "$@" >>"$WORK/openssl.log" 2>&1 || die "openssl failed: $(tail -5 "$WORK/openssl.log")"; }
authority() {
    openssl_quiet req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -keyout "$certs/$1.key" -out "$certs/$1.crt" -subj "/CN=$1" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
}
# signed NAME AUTHORITY SUBJECT EXTENSIONS
signed() {
    openssl_quiet req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "$certs/$1.key" -out "$certs/$1.csr" -subj "$3"
    printf '%b' "$4" >"$certs/$1.ext"
    openssl_quiet x509 -req -in "$certs/$1.csr" -CA "$certs/$2.crt" -CAkey "$certs/$2.key" \
        -CAcreateserial -days 2 -out "$certs/$1.crt" -extfile "$certs/$1.ext"
}
authority ca
authority other
signed server ca /CN=localhost "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n"
signed address ca /CN=shard "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
signed stranger ca /CN=elsewhere.example "subjectAltName=DNS:elsewhere.example\nextendedKeyUsage=serverAuth\n"
signed client ca /CN=certuser "extendedKeyUsage=clientAuth\n"
chmod 600 "$certs"/*.key
[[ $(id -u) -ne 0 ]] || chown "$SERVER_USER" "$certs" "$certs"/*

# tls_shard NAME CERTIFICATE: a server that only speaks TLS over TCP.
tls_shard() {
    shard "$1" "ssl = on" "ssl_cert_file = '$certs/$2.crt'" "ssl_key_file = '$certs/$2.key'" \
        "ssl_ca_file = '$certs/ca.crt'"
    hba "$1" "hostssl all certuser all cert" "hostssl all all all trust" "hostnossl all all all reject"
    sql "$1" db -h "$SOCKETS" -c "CREATE ROLE certuser LOGIN" -c "GRANT SELECT ON good TO certuser" \
        -c "SELECT pg_reload_conf()" >/dev/null
    wait_for 10 "! '$PG_BIN/psql' 'host=127.0.0.1 port=${PORT[$1]} user=postgres dbname=db sslmode=disable' -c '' 2>/dev/null"
}
tls_shard tls server
tls_shard ip address
tls_shard wrongname stranger
# libpq looks into the home folder of the user; nothing must depend on what is there.
plain="host '127.0.0.1'"

# try NAME EXPECTATION SERVER OPTION...: EXPECTATION is "3 rows" or an error's regex.
n=0
try() {
    local name=$1 expectation=$2 port=${PORT[$3]}
    shift 3
    n=$((n + 1))
    foreign "s$n" "port '$port'" "dbname 'db'" "$@"
    if [[ $expectation == "3 rows" ]]; then
        same "$name" 3 "$(session <<<"SELECT count(*) FROM good_s$n;")"
    else
        bad "$name" "$expectation" "SELECT count(*) FROM good_s$n;"
    fi
}
ca="sslrootcert '$certs/ca.crt'" other="sslrootcert '$certs/other.crt'"
failed_to="08001: could not connect to server \"s[0-9]+\""

try "disable" "$failed_to.*no encryption" tls "$plain" "sslmode 'disable'"
try "allow goes on with TLS" "3 rows" tls "$plain" "sslmode 'allow'"
try "prefer" "3 rows" tls "$plain" "sslmode 'prefer'"
try "no sslmode" "3 rows" tls "$plain"
try "require" "3 rows" tls "$plain" "sslmode 'require'"
try "require, a server without TLS" "$failed_to.*server does not support SSL" main "$plain" "sslmode 'require'"
try "prefer, a server without TLS" "3 rows" main "$plain" "sslmode 'prefer'"
try "verify-ca" "3 rows" tls "$plain" "sslmode 'verify-ca'" "$ca"
try "verify-ca, another authority" "$failed_to.*certificate" tls "$plain" "sslmode 'verify-ca'" "$other"
try "require with a root certificate verifies, too" "$failed_to.*certificate" tls "$plain" "sslmode 'require'" "$other"
try "verify-ca, the name is not looked at" "3 rows" wrongname "$plain" "sslmode 'verify-ca'" "$ca"
try "verify-ca, no such file" "$failed_to.*root certificate file" tls "$plain" "sslmode 'verify-ca'" "sslrootcert '$certs/none.crt'"
try "verify-full" "3 rows" tls "host 'localhost'" "hostaddr '127.0.0.1'" "sslmode 'verify-full'" "$ca"
try "verify-full, another name" "$failed_to.*(does not match|not valid for)" wrongname "host 'localhost'" "hostaddr '127.0.0.1'" "sslmode 'verify-full'" "$ca"
try "verify-full, an address" "3 rows" ip "$plain" "sslmode 'verify-full'" "$ca"
try "verify-full, an address that is not in the certificate" "$failed_to.*(does not match|not valid for)" tls "$plain" "sslmode 'verify-full'" "$ca"
try "verify-full, another authority" "$failed_to.*certificate" tls "host 'localhost'" "hostaddr '127.0.0.1'" "sslmode 'verify-full'" "$other"
bad "unknown sslmode" "(HV00D|HV00C|22023|08001): .*sslmode.*\"sometimes\"" \
    "ALTER SERVER main OPTIONS (ADD sslmode 'sometimes'); SELECT * FROM good_main; ALTER SERVER main OPTIONS (DROP sslmode);"

# What the server sees.
sql tls db -c "CREATE VIEW tls_state AS SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
foreign state "port '${PORT[tls]}'" "dbname 'db'" "$plain" "sslmode 'require'"
same "TLS 1.3 on the wire" "t|TLSv1.3" "$(session <<SQL
CREATE FOREIGN TABLE tls_state (ssl bool, version text) SERVER state;
SELECT * FROM tls_state;
SQL
)"

# Client certificates.
foreign cert "port '${PORT[tls]}'" "dbname 'db'" "$plain" "sslmode 'verify-ca'" "$ca"
sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER cert OPTIONS (SET user 'certuser')"
bad "client certificate missing" "08001: could not connect to server \"cert\".*certificate" "SELECT * FROM good_cert;"
sql coordinator coord -c "ALTER USER MAPPING FOR postgres SERVER cert
    OPTIONS (ADD sslcert '$certs/client.crt', ADD sslkey '$certs/client.key')"
same "client certificate" 3 "$(session <<<"SELECT count(*) FROM good_cert;")"
as_server chmod 644 "$certs/client.key"
bad "a private key that others can read" "08001: could not connect to server \"cert\".*private key file.*(group or world|permissions)" \
    "SELECT * FROM good_cert;"
