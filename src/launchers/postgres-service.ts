/**
 * A PostgreSQL for the length of the job, on the head node, where it is installed (initdb of any version since 11): data
 * beside the attempts, reached by the addresses of the job's nodes alone, with a password that the executor made for this job
 * (DROVER_JOB_SECRET: the same on all nodes, in no plan). It is a process of the job's group and ends with it. PostgreSQL
 * refuses to run as root; there it runs as the user `postgres`, with its data in a directory of that user.
 */
export const POSTGRES = `
if [ -n "$_d_service" ]; then
  _d_advice='register a database (drover db add), give one by the option storage or a secret OPTUNA_STORAGE, or run on one node or a shared home'
  [ -n "\${DROVER_JOB_SECRET:-}" ] || _d_fail "several nodes without a shared home need a database: $_d_advice"
  _d_dialect=$(_d_tool driver) || _d_fail 'there is no PostgreSQL driver for Python: pip install "psycopg[binary]" in setup'
  # The port beside that of the rendezvous.
  _d_sql_port=$((_d_port + 1))
  case $DROVER_HEAD_IP in *:*) _d_sql_host=[$DROVER_HEAD_IP] ;; *) _d_sql_host=$DROVER_HEAD_IP ;; esac
  _d_uri=$_d_dialect://drover:$DROVER_JOB_SECRET@$_d_sql_host:$_d_sql_port/postgres
fi
if [ -n "$_d_service" ] && [ "$_d_rank" = 0 ]; then
  _d_bin=''
  for _d_each in "$(command -v initdb 2>/dev/null)" /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /opt/homebrew/bin/initdb; do
    # A link leads to where the server is.
    [ -x "$_d_each" ] || continue
    _d_each=$(readlink -f "$_d_each" 2>/dev/null || echo "$_d_each")
    [ ! -x "\${_d_each%/*}/postgres" ] || _d_bin=\${_d_each%/*}
  done
  [ -n "$_d_bin" ] || _d_fail "there is no PostgreSQL (initdb) on the head node: install it there, or $_d_advice"
  _d_port_is_free "$_d_sql_port" || _d_fail "port $_d_sql_port, for the PostgreSQL of this job, is in use on the head node; run it again"
  _d_data=\${DROVER_ATTEMPT_DIR%/*}/postgres _d_as=''
  if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || _d_fail "PostgreSQL does not run as root, and the head node has no user postgres: $_d_advice"
    _d_data=/var/tmp/drover-postgres-\${DROVER_JOB_ID:-job}
    mkdir -p "$_d_data" && chown postgres "$_d_data" && chmod 700 "$_d_data"
    if command -v setpriv >/dev/null 2>&1; then
      _d_as='setpriv --reuid=postgres --regid=postgres --init-groups'
    else
      _d_as='runuser -u postgres --'
    fi
    # The directory is no part of the job's: it goes with the attempt.
    _d_sql_data=$_d_data
    trap _d_clean EXIT
  fi
  if [ ! -f "$_d_data/PG_VERSION" ]; then
    # The second pipe is of the user who opens it again by its name.
    # shellcheck disable=SC2086,SC2016
    printf '%s\\n' "$DROVER_JOB_SECRET" | (cd / && $_d_as sh -c 'cat | "$@"' sh "$_d_bin/initdb" -D "$_d_data" -U drover -A scram-sha-256 \\
      --pwfile=/dev/stdin -E UTF8 --locale=C -N) >"$_d_launch/postgres.log" 2>&1 || _d_fail "initdb failed: $(tail -n 2 "$_d_launch/postgres.log")"
  fi
  {
    echo 'host all all 127.0.0.1/32 scram-sha-256'
    while IFS= read -r _d_line; do
      case $_d_line in *:*) echo "host all all $_d_line/128 scram-sha-256" ;; *) echo "host all all $_d_line/32 scram-sha-256" ;; esac
    done <<_D_IPS
$DROVER_NODE_IPS
_D_IPS
  } >"$_d_data/pg_hba.conf"
  # shellcheck disable=SC2086
  (cd / && exec $_d_as "$_d_bin/postgres" -D "$_d_data" -p "$_d_sql_port" -c listen_addresses="$DROVER_HEAD_IP" -c unix_socket_directories= \\
    -c max_connections=300) </dev/null >>"$_d_launch/postgres.log" 2>&1 &
  _d_sql_pid=$!
  trap _d_clean EXIT
fi
`

/**
 * With a database on the head: the head outlives its own command until every other node has said that it is done, and ends at
 * once where its command fails. A node whose command failed says nothing: it is what ends the job.
 */
export const PEER_COUNT = `
if [ -n "$_d_service" ]; then
  _d_conclude_alone() {
    [ "$1" = 0 ] || _d_conclude "$1" null null
    if [ "$_d_rank" != 0 ]; then
      _d_tool finished "$_d_rank"
      exit
    fi
    until [ -n "$_d_told" ] || _d_tool all-finished $((_d_nodes - 1)); do sleep 1; done
    [ -z "$_d_told" ] || exit 143
    exit 0
  }
  # shellcheck disable=SC2086
  $_d_reset "$@" &
  _d_children=$!
  [ -z "$_d_told" ] || _d_forward
  while :; do
    wait "$_d_children"
    _d_code=$?
    kill -0 "$_d_children" 2>/dev/null || break
  done
  _d_conclude_alone "$_d_code"
fi
`
