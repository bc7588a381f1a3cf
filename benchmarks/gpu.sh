#!/bin/sh
# The project on a GPU, proved and measured by one command: sh benchmarks/gpu.sh FOLDER [MINUTES]
# Most important first: tests, training, training through torch.compile, each with a share of the minutes. What one
# prints stands in FOLDER/NAME.txt at once. benchmarks/study.py, which trains all variants on photos, is apart.
folder=$1
minutes=${2:-9}
mkdir -p "$folder" || exit

part() { # NAME, its share of the minutes in hundredths, and the arguments of python -m
    name=$1 seconds=$(($2 * minutes * 60 / 100))
    shift 2
    echo "== $name: $*, at most $seconds s" >"$folder/$name.txt"
    timeout --kill-after=10 "$seconds" python -u -m "$@" >>"$folder/$name.txt" 2>&1
    echo "== $name ended with status $?; 124: its time was up" >>"$folder/$name.txt"
    cat "$folder/$name.txt"
}

part tests 45 pytest -m gpu -v --tb=short -p no:cacheprovider tests
part training 40 benchmarks.training --budget gpu --variant all --steps 20 --turns 2
part compile 15 benchmarks.training --budget gpu --steps 20 --turns 2 --compile
