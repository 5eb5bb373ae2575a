#!/bin/sh
# Writes dist/install.yaml: the chart, rendered for `kubectl apply`, with its namespace.
# REGISTRY is where the images are; VALUES, a file of values for the chart. Run by `make manifests`.
set -eu
cd "$(dirname "$0")/.."
helm=${HELM:-$(command -v helm || PYTHONPATH=tests .venv/bin/python -m bed tool helm)}

set -- template stoker charts/stoker --namespace stoker-system --skip-tests
[ -z "${REGISTRY:-}" ] || set -- "$@" --set-string "image.registry=$REGISTRY"
[ -z "${VALUES:-}" ] || set -- "$@" --values "$VALUES"

mkdir -p dist
{
  cat <<'EOF'
# Generated from charts/stoker by `make manifests`. kubectl apply --server-side -f install.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: stoker-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
EOF
  "$helm" "$@"
} >dist/install.yaml.new
mv dist/install.yaml.new dist/install.yaml
echo "dist/install.yaml: kubectl apply --server-side -f dist/install.yaml"
