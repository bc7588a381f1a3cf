#!/usr/bin/env bash
# The variants shared out among several machines, by plain ssh:
#     tools/cluster/ssh.sh person-segmentation ana@gpu1 ana@gpu2
# First the folder on each machine that holds a clone of the project, at the commit to run, with its environment; then
# the machines. Each of them trains its variants one after another.
set -euo pipefail
folder=$1
machines=("${@:2}")
variants=$(dvc stage list --name-only | sed -n 's/^train@//p')
number=0
shares=()
for variant in $variants; do
    place=$((number++ % ${#machines[@]}))
    shares[place]="${shares[place]:-} $variant"
done
running=()
for place in "${!shares[@]}"; do
    (ssh "${machines[place]}" "
        cd '$folder' && export PATH=\"\$PWD/.venv/bin:\$PATH\" || exit 1
        for variant in${shares[place]}; do
            dvc repro --pull --allow-missing evaluate@\$variant && dvc push --run-cache || status=1
        done
        exit \${status:-0}" 2>&1 | sed "s|^|${machines[place]}: |") &
    running+=($!)
done
status=0
for process in "${running[@]}"; do
    wait "$process" || status=1
done
exit $status
