#!/bin/sh
# tls_fixture.sh DIRECTORY PORT... - writes valid and invalid certificates to the directory, and the
# configuration of an nginx that responds with the requested contact. The ports are in the order of
# the enum in support/nginx.h.
set -eu
cd "$1"
shift

# authority NAME
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "$1.key" -out "$1.pem" -days 30 -subj "/CN=$1"
}

# Not every version of "openssl x509" can issue a certificate that has expired; "openssl ca" can.
cat >authority.conf <<'END'
[ca]
default_ca = default
[default]
database = issued.txt
new_certs_dir = .
serial = serial.txt
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
: >issued.txt

# certificate NAME AUTHORITY HOSTS START END; the times are YYYYMMDDHHMMSSZ.
certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
    printf 'subjectAltName=%s\n' "$3" >"$1.ext"
    openssl ca -batch -notext -config authority.conf -cert "$2.pem" -keyfile "$2.key" \
        -create_serial -startdate "$4" -enddate "$5" -extfile "$1.ext" -in "$1.csr" -out "$1.pem"
}

# server PORT OPTIONS CERTIFICATE [DIRECTIVE...]
server() {
    printf 'server {\n'
    printf '    %s;\n' "listen 127.0.0.1:$1 ssl $2" \
        "ssl_certificate $3.pem" "ssl_certificate_key $3.key"
    shift 3
    printf '    %s;\n' "include contact.conf" "$@"
    printf '}\n'
}

hosts=DNS:localhost,IP:127.0.0.1,DNS:api.example.invalid
authority known
authority unknown
validity="20200101000000Z 21200101000000Z"
# The validity is two words.
# shellcheck disable=SC2086
{
    certificate valid known "$hosts" $validity
    certificate wrong_host known DNS:other.example,IP:127.0.0.2 $validity
    certificate untrusted unknown "$hosts" $validity
}
certificate expired known "$hosts" 20200101000000Z 20200102000000Z

cat >respond.conf <<'END'
default_type application/json;
return 200 '{"contactId":$contact,"sequenceId":$sequence,"status":"Active","currentStep":1,
             "addingDate":"2024-03-08T10:00:00+00:00","isOptedOut":false}';
END

# 20 kB of headers
header=$(printf '%02000d' 0)
for number in 1 2 3 4 5 6 7 8 9 10; do
    printf 'add_header X-Large-%d %s;\n' "$number" "$header"
done >large_headers.conf

cat >contact.conf <<'END'
location ~ ^/v4/sequences/\d+/contacts/444$ {
    return 444;
}
location ~ ^/v4/sequences/(?<sequence>\d+)/contacts/(?<contact>\d+)$ {
    include respond.conf;
}
location ~ ^/large/v4/sequences/(?<sequence>\d+)/contacts/(?<contact>\d+)$ {
    include large_headers.conf;
    include respond.conf;
}
location ~ ^/to/(?<port>\d+)(?<rest>/.*)$ {
    proxy_pass http://127.0.0.1:$port$rest;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
}
END

{
    cat <<'END'
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {
    worker_connections 512;
}
http {
    log_format wire 'port=$server_port connection=$connection protocol=$server_protocol '
                    'tls=$ssl_protocol status=$status uri=$request_uri key=$http_x_api_key '
                    'accept=$http_accept encoding=$http_accept_encoding end';
    access_log access.log wire;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    ssl_protocols TLSv1.2 TLSv1.3;
END
    server "$1" http2 valid
    server "$2" "" valid
    server "$3" http2 wrong_host
    server "$4" http2 expired
    server "$5" http2 untrusted
    server "$6" "" valid "ssl_protocols TLSv1.1" "ssl_ciphers ALL:@SECLEVEL=0"
    server "$7" http2 valid "ssl_protocols TLSv1.2"
    server "$8" http2 valid "keepalive_requests 5"
    server "$9" "" valid "keepalive_timeout 0"
    printf '}\n'
} >nginx.conf
