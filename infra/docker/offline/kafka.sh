#!/bin/sh
# Starts Kafka as the official image does: KAFKA_* variables become properties (`_` a dot, `__` an underscore, `___` a dash),
# and a data folder is formatted once.
# Without globbing: Java itself reads the star of its class path.
set -euf
properties=$(mktemp)
env | sed -n 's/^KAFKA_\([A-Z][A-Z0-9_]*\)=\(.*\)$/\1 \2/p' | while read -r name value; do
  case $name in
    HEAP_OPTS | OPTS | JVM_PERFORMANCE_OPTS | LOG4J_OPTS) continue ;;
  esac
  key=$(printf %s "$name" | tr '[:upper:]' '[:lower:]' | sed 's/___/-/g; s/__/\n/g; s/_/./g; s/\n/_/g')
  printf '%s=%s\n' "$key" "$value"
done >"$properties"
java="java ${KAFKA_HEAP_OPTS:--Xmx512m} -cp /opt/kafka/libs/* -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml"
# A folder that is formatted already stays as it is.
$java kafka.tools.StorageTool format --ignore-formatted --cluster-id "${CLUSTER_ID:?}" --config "$properties"
exec $java kafka.Kafka "$properties"
