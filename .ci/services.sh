# PostgreSQL, Redis and an S3 server (moto) on free ports of this machine, for tests alone: nothing of them is kept.
# What was started here, and nothing else, is stopped at the end, however that comes.

SERVICES_FOLDER=""
POSTGRES_RUNS=""
SERVICES_PIDS=()

start_services() {
  trap stop_services EXIT
  SERVICES_FOLDER=$(mktemp -d)
  chmod 711 "$SERVICES_FOLDER" # PostgreSQL runs as another user where this is root
  start_postgres
  start_redis
  start_s3
}

stop_services() {
  [ -z "$POSTGRES_RUNS" ] || as_postgres "$(postgres_programs)/pg_ctl" stop -s -m immediate -D "$SERVICES_FOLDER/postgres"
  [ ${#SERVICES_PIDS[@]} -eq 0 ] || kill "${SERVICES_PIDS[@]}"
  [ -z "$SERVICES_FOLDER" ] || rm -r "$SERVICES_FOLDER"
  POSTGRES_RUNS="" SERVICES_PIDS=() SERVICES_FOLDER=""
  unset "${!TEST_@}" # or what follows would look for them
  trap - EXIT
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

start_postgres() {
  local programs data="$SERVICES_FOLDER/postgres" log="$SERVICES_FOLDER/postgres.log" port
  programs=$(postgres_programs)
  port=$(free_port)
  mkdir "$data"
  touch "$log"
  if [ "$(id -u)" = 0 ]; then chown postgres "$data" "$log"; fi
  as_postgres "$programs/initdb" -D "$data" -U postgres --auth trust --encoding UTF8 >/dev/null
  # Kept in memory as far as can be: a power cut may cost this database everything.
  as_postgres "$programs/pg_ctl" start -s -w -D "$data" -l "$log" -o "-p $port -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300"
  POSTGRES_RUNS=yes
  export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres"
}

start_redis() {
  local port
  port=$(free_port)
  redis-server --bind 127.0.0.1 --port "$port" --save "" --databases 1000 >"$SERVICES_FOLDER/redis.log" 2>&1 &
  SERVICES_PIDS+=($!)
  wait_for "$port" redis
  export TEST_REDIS_URL="redis://127.0.0.1:$port/0"
}

start_s3() {
  local port
  port=$(free_port)
  .venv/bin/python -m moto.server -H 127.0.0.1 -p "$port" >"$SERVICES_FOLDER/s3.log" 2>&1 &
  SERVICES_PIDS+=($!)
  wait_for "$port" s3
  export TEST_S3_BUCKET=poetsweb TEST_S3_ENDPOINT_URL="http://127.0.0.1:$port"
  export TEST_S3_ACCESS_KEY=tests TEST_S3_SECRET_KEY=tests
}

free_port() {
  .venv/bin/python -c 'import socket; probe = socket.socket(); probe.bind(("127.0.0.1", 0)); print(probe.getsockname()[1])'
}

wait_for() {
  local until=$((SECONDS + 60))
  until (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    if [ $SECONDS -gt $until ] || ! kill -0 "${SERVICES_PIDS[-1]}"; then
      cat "$SERVICES_FOLDER/$2.log"
      return 1
    fi
    sleep 0.1
  done
}
